/* SPDX-License-Identifier: MIT */
/* B+ trees over the same nodes, one by id (a hash table would invite chosen
 * collisions: ids come from peers), one by stamp and id.  Beside each node
 * stand the first bytes that it is ordered by, so that nearly all of a search
 * is in a page or two: to follow pointers from node to node takes ten times
 * as long, as each is another line of the cache.  Room is made before a put
 * begins, so that the steps which change a tree cannot fail. */

#include <stdlib.h>
#include <string.h>

#include "memory-page.h"

/* What is looked for. */
struct place {
  enum memory_tree_order by;
  struct memory_start start;
  const unsigned char *stamp;
  struct tally_slice id;
};

/* The way down to where a place is or would be, by level. */
struct way {
  struct memory_page *pages[MEMORY_LEVELS];
  size_t at[MEMORY_LEVELS];
};

int
memory_compare (const char *a, size_t a_size, const char *b, size_t b_size)
{
  size_t size = a_size < b_size ? a_size : b_size;
  int order = size ? memcmp (a, b, size) : 0;

  return order ? order : (a_size > b_size) - (a_size < b_size);
}

int
memory_compare_place (const struct tally_position *at,
                      const struct memory_node *node)
{
  int order = memcmp (at->stamp, node->rev, TALLY_STAMP_SIZE);

  return order ? order
               : memory_compare (at->id.data, at->id.size, node->id,
                                 node->id_size);
}

/* Short ones end with zeros. */
static struct memory_start
start_of (const void *data, size_t size)
{
  const unsigned char *bytes = data;
  struct memory_start start = { 0, 0 };

  for (size_t i = 0; i < 8; i++)
    start.first = start.first << 8 | (i < size ? bytes[i] : 0u);
  for (size_t i = 8; i < 12; i++)
    start.rest = start.rest << 8 | (i < size ? bytes[i] : 0u);
  return start;
}

static struct place
place_of_id (struct tally_slice id)
{
  struct place place = { MEMORY_BY_ID, start_of (id.data, id.size), NULL, id };

  return place;
}

static struct place
place_of_stamp (const unsigned char *stamp, struct tally_slice id)
{
  struct place place = { MEMORY_BY_STAMP, start_of (stamp, TALLY_STAMP_SIZE),
                         stamp, id };

  return place;
}

static struct place
place_of (const struct memory_node *node, enum memory_tree_order by)
{
  struct tally_slice id = { node->id, node->id_size };

  return by == MEMORY_BY_ID ? place_of_id (id)
                            : place_of_stamp (node->rev, id);
}

static int
compare (const struct place *place, const struct memory_page *page, size_t i)
{
  const struct memory_node *node = page->nodes[i];
  int order = 0;

  if (place->start.first != page->firsts[i])
    return place->start.first < page->firsts[i] ? -1 : 1;
  if (place->start.rest != page->rests[i])
    return place->start.rest < page->rests[i] ? -1 : 1;
  if (place->by == MEMORY_BY_STAMP)
    order = memcmp (place->stamp, node->rev, TALLY_STAMP_SIZE);
  return order ? order
               : memory_compare (place->id.data, place->id.size, node->id,
                                 node->id_size);
}

/* How many in the page stand before the place, or are it. */
static size_t
count_up_to (const struct memory_page *page, const struct place *place)
{
  size_t low = 0, high = page->n;

  while (low < high) {
    size_t middle = low + (high - low) / 2;

    if (compare (place, page, middle) < 0)
      high = middle;
    else
      low = middle + 1;
  }
  return low;
}

/* Of a tree that is not empty.  On each level it is the last that does not
 * stand behind the place, or else the first. */
static void
find_way (const struct memory_tree *tree, const struct place *place,
          struct way *way)
{
  struct memory_page *page = tree->root;

  for (unsigned level = tree->height; level-- > 0;) {
    size_t n = count_up_to (page, place);

    way->pages[level] = page;
    way->at[level] = n > 0 ? n - 1 : 0;
    page = page->pages[way->at[level]];
  }
}

struct memory_node *
memory_tree_find (const struct memory_tree *tree, struct tally_slice id)
{
  struct place place = place_of_id (id);
  struct way way;

  if (!tree->root)
    return NULL;
  find_way (tree, &place, &way);
  if (compare (&place, way.pages[0], way.at[0]) != 0)
    return NULL;
  return way.pages[0]->nodes[way.at[0]];
}

/* To the last node of the leaf before; false: there is none. */
static bool
way_back (const struct memory_tree *tree, struct way *way)
{
  unsigned level = 1;

  while (level < tree->height && way->at[level] == 0)
    level++;
  if (level >= tree->height)
    return false;
  way->at[level]--;
  while (level-- > 0) {
    way->pages[level] = way->pages[level + 1]->pages[way->at[level + 1]];
    way->at[level] = way->pages[level]->n - 1;
  }
  return true;
}

struct memory_node *
memory_tree_before (const struct memory_tree *tree, struct tally_slice id)
{
  struct place place = place_of_id (id);
  struct way way;

  if (!tree->root)
    return NULL;
  find_way (tree, &place, &way);
  if (compare (&place, way.pages[0], way.at[0]) <= 0) {
    if (way.at[0] > 0)
      way.at[0]--;
    else if (!way_back (tree, &way))
      return NULL;
  }
  return way.pages[0]->nodes[way.at[0]];
}

/* ---- changes ------------------------------------------------------------ */

/* After the first item of the page on that level has become another. */
static void
way_refresh (const struct memory_tree *tree, const struct way *way,
             unsigned level)
{
  for (level++; level < tree->height; level++) {
    struct memory_item first = memory_page_first (way->pages[level - 1]);

    memory_page_set (way->pages[level], way->at[level], &first);
    if (way->at[level] > 0)
      break;
  }
}

/* Whether nothing on the level stands behind that place in its page. */
static bool
way_ends (const struct memory_tree *tree, const struct way *way,
          unsigned level, size_t at)
{
  bool ends = at == way->pages[level]->n;

  for (level++; level < tree->height; level++)
    ends = ends && way->at[level] + 1 == way->pages[level]->n;
  return ends;
}

/* Adds to a page that is full, and gives what is now behind it.  What comes in
 * rising order leaves full pages behind. */
static struct memory_item
way_split (struct memory_tree *tree, const struct way *way, unsigned level,
           size_t at, const struct memory_item *item)
{
  struct memory_page *page = way->pages[level];
  struct memory_page *other = memory_page_take (tree, level);
  size_t from =
      way_ends (tree, way, level, at) ? MEMORY_PAGE : MEMORY_PAGE / 2;

  memory_page_move (page, from, other, 0);
  if (at < from)
    memory_page_add (page, at, item);
  else
    memory_page_add (other, at - from, item);
  return memory_page_first (other);
}

/* Puts a page over the root, or the first one. */
static void
tree_grow (struct memory_tree *tree, const struct memory_item *item)
{
  struct memory_page *page = memory_page_take (tree, tree->height++);

  if (tree->root) {
    struct memory_item first = memory_page_first (tree->root);

    memory_page_add (page, 0, &first);
  }
  memory_page_add (page, page->n, item);
  tree->root = page;
}

void
memory_tree_insert (struct memory_tree *tree, struct memory_node *node)
{
  struct place place = place_of (node, tree->by);
  struct memory_item item = { place.start, node, NULL };
  struct way way;
  size_t at = 0;

  if (tree->root) {
    find_way (tree, &place, &way);
    at = way.at[0] + (compare (&place, way.pages[0], way.at[0]) > 0);
  }
  for (unsigned level = 0; level < tree->height; level++) {
    struct memory_page *page = way.pages[level];
    bool full = page->n == MEMORY_PAGE;

    if (full)
      item = way_split (tree, &way, level, at, &item);
    else
      memory_page_add (page, at, &item);
    if (at == 0)
      way_refresh (tree, &way, level);
    if (!full)
      return;
    at = level + 1 < tree->height ? way.at[level + 1] + 1 : 0;
  }
  tree_grow (tree, &item);
}

/* Takes pages away that have one page below them, or nothing. */
static void
tree_shrink (struct memory_tree *tree)
{
  while (tree->height > 0
         && (tree->root->n == 0 || (tree->root->n == 1 && tree->height > 1))) {
    struct memory_page *page = tree->root;

    tree->root = page->n > 0 ? page->pages[0] : NULL;
    memory_page_give (tree, page, --tree->height);
  }
}

/* Pages are given back when they are empty and not filled up before: what is
 * deleted is mostly not much. */
void
memory_tree_remove (struct memory_tree *tree, const struct memory_node *node)
{
  struct place place = place_of (node, tree->by);
  unsigned level = 0;
  struct way way;

  find_way (tree, &place, &way);
  for (;; level++) {
    struct memory_page *page = way.pages[level];

    memory_page_move (page, way.at[level] + 1, page, way.at[level]);
    if (page->n > 0 || level + 1 == tree->height)
      break;
    memory_page_give (tree, page, level);
  }
  if (way.at[level] == 0 && way.pages[level]->n > 0)
    way_refresh (tree, &way, level);
  tree_shrink (tree);
}

/* ---- walking ------------------------------------------------------------ */

/* To the first leaf behind, from the end of one; false: there is none. */
static bool
way_next (const struct memory_tree *tree, struct way *way)
{
  unsigned level = 1;

  while (level < tree->height && ++way->at[level] == way->pages[level]->n)
    level++;
  if (level >= tree->height)
    return false;
  while (level-- > 0) {
    way->pages[level] = way->pages[level + 1]->pages[way->at[level + 1]];
    way->at[level] = 0;
  }
  return true;
}

static bool
walk (const struct memory_tree *tree, const struct place *from,
      bool (*visit) (void *ctx, const struct memory_node *node), void *ctx)
{
  struct way way;

  if (!tree->root)
    return true;
  find_way (tree, from, &way);
  way.at[0] += compare (from, way.pages[0], way.at[0]) > 0;
  do {
    for (; way.at[0] < way.pages[0]->n; way.at[0]++)
      if (!visit (ctx, way.pages[0]->nodes[way.at[0]]))
        return false;
  } while (way_next (tree, &way));
  return true;
}

bool
memory_tree_scan (const struct memory_tree *tree,
                  const struct tally_position *from,
                  bool (*visit) (void *ctx, const struct memory_node *node),
                  void *ctx)
{
  static const unsigned char first[TALLY_STAMP_SIZE];
  static const struct tally_slice none;
  struct place place = from ? place_of_stamp (from->stamp, from->id)
                            : place_of_stamp (first, none);

  return walk (tree, &place, visit, ctx);
}

bool
memory_tree_walk (const struct memory_tree *tree,
                  const struct tally_slice *from,
                  bool (*visit) (void *ctx, const struct memory_node *node),
                  void *ctx)
{
  static const struct tally_slice none;
  struct place place = place_of_id (from ? *from : none);

  return walk (tree, &place, visit, ctx);
}

/* ---- end ---------------------------------------------------------------- */

void
memory_node_free (struct memory_node *node)
{
  if (node)
    free (node->payload);
  free (node);
}

static void
page_free (struct memory_page *page, unsigned level, bool nodes)
{
  for (size_t i = 0; i < page->n; i++)
    if (level > 0)
      page_free (page->pages[i], level - 1, nodes);
    else if (nodes)
      memory_node_free (page->nodes[i]);
  free (page);
}

void
memory_tree_free (struct memory_tree *tree, bool nodes)
{
  if (tree->root)
    page_free (tree->root, tree->height - 1, nodes);
  while (tree->spare) {
    struct memory_page *page = tree->spare;

    tree->spare = page->pages[0];
    free (page);
  }
}
