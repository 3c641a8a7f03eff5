/* SPDX-License-Identifier: MIT */
/* The dynamic linker maps what a file's headers promise and dies of SIGBUS
 * where the file is shorter than that, so that the promise is checked here.
 * What is wrong otherwise it says itself, in better words than ours. */

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#if defined __linux__
#include <link.h>
#endif

#include <tally/tally.h>

#include "error.h"
#include "module.h"
#include "reason.h"

#define SUFFIX ".so"

static bool
has_suffix (const char *text)
{
  size_t size = strlen (text), suffix = strlen (SUFFIX);

  return size > suffix && strcmp (text + size - suffix, SUFFIX) == 0;
}

bool
module_name_valid (const char *name)
{
  size_t i;

  if (!(name[0] >= 'a' && name[0] <= 'z'))
    return false;
  for (i = 1; name[i]; i++)
    if (!((name[i] >= 'a' && name[i] <= 'z')
          || (name[i] >= '0' && name[i] <= '9') || name[i] == '-'))
      return false;
  return i <= MODULE_NAME_MAX;
}

bool
module_file_name (char *name, const char *file)
{
  static const char *const prefixes[] = { "store-", "transport-", "source-" };
  size_t size, i;

  if (!has_suffix (file) || strncmp (file, "lib", 3) == 0)
    return false;
  for (i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++)
    if (strncmp (file, prefixes[i], strlen (prefixes[i])) == 0) {
      file += strlen (prefixes[i]);
      break;
    }
  if (!has_suffix (file))
    return false;
  size = strlen (file) - strlen (SUFFIX);
  if (size > MODULE_NAME_MAX)
    return false;
  memcpy (name, file, size);
  name[size] = 0;
  return module_name_valid (name);
}

#if defined __linux__

static bool
lies_in (uint64_t offset, uint64_t size, uint64_t whole)
{
  return offset <= whole && size <= whole - offset;
}

/* False when a part that will be mapped, or the table at the very end, lies
 * outside of the file. */
static bool
is_whole (int fd, uint64_t size)
{
  const unsigned char native = sizeof (void *) == 8 ? ELFCLASS64 : ELFCLASS32;
  ElfW (Ehdr) head;
  ElfW (Phdr) part;
  unsigned i;

  if (pread (fd, &head, sizeof head, 0) != (ssize_t) sizeof head)
    return true; /* "file too short" */
  if (memcmp (head.e_ident, ELFMAG, SELFMAG) != 0
      || head.e_ident[EI_CLASS] != native || head.e_phentsize != sizeof part)
    return true; /* "invalid ELF header" and the like */

  for (i = 0; i < head.e_phnum; i++) {
    uint64_t offset = head.e_phoff + (uint64_t) i * sizeof part;

    if (!lies_in (offset, sizeof part, size)
        || pread (fd, &part, sizeof part, (off_t) offset)
               != (ssize_t) sizeof part
        || !lies_in (part.p_offset, part.p_filesz, size))
      return false;
  }
  return lies_in (head.e_shoff, (uint64_t) head.e_shnum * head.e_shentsize,
                  size);
}

#else

static bool
is_whole (int fd, uint64_t size)
{
  (void) fd;
  return size > 0;
}

#endif

int
module_vet (const char *path, struct tally_error *err)
{
  struct stat st;
  int fd, status = TALLY_OK;

  if (path[0] != '/')
    return error_set (err, TALLY_CONFIG,
                      "%s: a driver's path must be absolute", path);
  if (!has_suffix (path))
    return error_set (err, TALLY_CONFIG,
                      "%s: not a driver, its name does not end in " SUFFIX,
                      path);
  /* Not waiting for a writer, should it be a pipe. */
  fd = open (path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (fd < 0)
    return error_set (err, TALLY_CONFIG, "%s: %s", path, reason_errno (errno));

  if (fstat (fd, &st) < 0)
    status =
        error_set (err, TALLY_CONFIG, "%s: %s", path, reason_errno (errno));
  else if (!S_ISREG (st.st_mode))
    status = error_set (err, TALLY_CONFIG, "%s: is not a regular file", path);
  else if (!is_whole (fd, (uint64_t) st.st_size))
    status = error_set (err, TALLY_CONFIG, "%s: a part of the file is missing",
                        path);
  close (fd);
  return status;
}
