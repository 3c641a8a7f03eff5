/* SPDX-License-Identifier: MIT */
/* Pages to come are in a list of the tree, so that none is allocated in a step
 * that must not fail. */

#include <stdlib.h>
#include <string.h>

#include "memory-page.h"

struct memory_page *
memory_page_take (struct memory_tree *tree, unsigned level)
{
  struct memory_page *page = tree->spare;

  tree->spare = page->pages[0];
  tree->spares--;
  tree->pages[level]++;
  page->n = 0;
  return page;
}

void
memory_page_give (struct memory_tree *tree, struct memory_page *page,
                  unsigned level)
{
  page->pages[0] = tree->spare;
  tree->spare = page;
  tree->spares++;
  tree->pages[level]--;
}

/* Each page that is there may be split by the first that comes into it; the
 * halves only when they are full again, and the last one likewise. */
static size_t
pages_for (const struct memory_tree *tree, size_t more)
{
  size_t need = 0;

  for (unsigned level = 0; more > 0; level++) {
    bool new = level >= tree->height;
    size_t there = new ? 0 : tree->pages[level];

    more = (more < there ? more : there) + more / (MEMORY_PAGE / 4) + !new;
    need += more + new;
  }
  return need;
}

int
memory_tree_reserve (struct memory_tree *tree, size_t more)
{
  for (size_t need = pages_for (tree, more); tree->spares < need;
       tree->spares++) {
    struct memory_page *page = malloc (sizeof *page);

    if (!page)
      return -1;
    page->pages[0] = tree->spare;
    tree->spare = page;
  }
  return 0;
}

struct memory_item
memory_page_first (struct memory_page *page)
{
  struct memory_start start = { page->firsts[0], page->rests[0] };
  struct memory_item item = { start, page->nodes[0], page };

  return item;
}

void
memory_page_set (struct memory_page *page, size_t i,
                 const struct memory_item *item)
{
  page->firsts[i] = item->start.first;
  page->rests[i] = item->start.rest;
  page->nodes[i] = item->node;
  page->pages[i] = item->page;
}

void
memory_page_move (struct memory_page *page, size_t i, struct memory_page *to,
                  size_t j)
{
  size_t n = page->n - i;

  memmove (to->firsts + j, page->firsts + i, n * sizeof *to->firsts);
  memmove (to->rests + j, page->rests + i, n * sizeof *to->rests);
  memmove (to->nodes + j, page->nodes + i, n * sizeof *to->nodes);
  memmove (to->pages + j, page->pages + i, n * sizeof *to->pages);
  page->n = i;
  to->n = j + n;
}

void
memory_page_add (struct memory_page *page, size_t i,
                 const struct memory_item *item)
{
  memory_page_move (page, i, page, i + 1);
  memory_page_set (page, i, item);
}
