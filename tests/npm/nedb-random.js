// SPDX-License-Identifier: MIT
// Random documents, queries and updates, of what NeDB has.  Dates are
// {"$$date": ms} and expressions strings, as tally takes them.

// mulberry32
function randomFrom (seed) {
  let state = seed >>> 0;
  return n => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul (state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul (t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) % n;
  };
}

const paths = ['a', 'b', 'c', 'a.b', 'c.d', 'a.0', 'b.1', 'a.b.c', '_id'];
const strings = ['x', 'y', 'xy', '', 'z"', 'ü', '10'];
const expressions = ['^x', 'y', '^xy$', 'x|y', '^$', '[0-9]', '^.$'];

function make (seed) {
  const below = randomFrom (seed);
  const oneIn = n => below (n) === 0;
  const pick = list => list[below (list.length)];

  function value (depth) {
    const kind = below (depth > 0 ? 14 : 9);
    switch (kind) {
    case 0: return null;
    case 1: return oneIn (2);
    case 2: return 1.5;
    case 3: case 4: return pick (strings);
    case 5: return { $$date: below (3) };
    case 9: case 10: case 11:
      return Array.from ({ length: below (4) }, () => value (depth - 1));
    case 12: case 13: {
      const object = {};
      for (let i = below (3); i > 0; i--)
        object[pick (['b', 'c', 'd'])] = value (depth - 1);
      return object;
    }
    default: return below (7) - 2;
    }
  }

  function document (number) {
    const made = { _id: `d${String (number).padStart (2, '0')}` };
    for (const field of ['a', 'b', 'c'])
      if (!oneIn (5))
        made[field] = value (3);
    return made;
  }

  // Often something that a document has, or little would be found.
  function operand (path, documents) {
    const at = path.split ('.')[0];
    const own = pick (documents)[at];
    return own !== undefined && !oneIn (3) && path === at ? own : value (1);
  }

  function operator (condition, path, documents, depth) {
    const list = () => Array.from ({ length: 1 + below (3) },
                                   () => operand (path, documents));
    switch (below (11)) {
    case 0: condition.$in = list (); break;
    case 1: condition.$nin = list (); break;
    case 2: condition.$exists = oneIn (2); break;
    case 3: condition.$size = below (4); break;
    case 4: condition.$regex = pick (expressions); break;
    case 5: condition.$ne = operand (path, documents); break;
    case 6:
      if (depth > 0)
        condition.$elemMatch = oneIn (2) ? fields (documents, 0)
                                         : operators ('a', documents, 0);
      break;
    default:
      condition[pick (['$gt', '$gte', '$lt', '$lte'])]
        = operand (path, documents);
    }
    return condition;
  }

  function operators (path, documents, depth) {
    const condition = {};
    do
      operator (condition, path, documents, depth);
    while (oneIn (3) || Object.keys (condition).length === 0);
    return condition;
  }

  function fields (documents, depth) {
    const query = {};
    for (let i = oneIn (3) ? 2 : 1; i > 0; i--) {
      const path = pick (paths);
      query[path] = oneIn (3) ? operand (path, documents)
                              : operators (path, documents, depth);
    }
    return query;
  }

  function query (documents, depth) {
    if (depth === 0 || !oneIn (3))
      return fields (documents, depth);
    const word = pick (['$and', '$or', '$not']);
    if (word === '$not')
      return { $not: query (documents, depth - 1) };
    const made = oneIn (2) ? fields (documents, depth) : {};
    made[word] = [query (documents, depth - 1), query (documents, depth - 1)];
    return made;
  }

  function sort () {
    return pick (['a', '-a', 'b,-a', 'a.b', 'c.d,b', '-a.0', '-b,c,a']);
  }

  function shown () {
    return pick (['a', 'b,c', 'a.b', 'c.d,a', 'a.b.c,b', 'a.0', '_id']);
  }

  function each () {
    const made = { $each: Array.from ({ length: below (3) }, () => value (1)) };
    return made;
  }

  function modifier (documents) {
    const word = pick (['$set', '$unset', '$inc', '$min', '$max', '$push',
      '$pop', '$addToSet', '$pull']);
    switch (word) {
    case '$unset': return [word, true];
    case '$inc': return [word, pick ([1, -2, 0.5, 10])];
    case '$pop': return [word, pick ([1, -1])];
    case '$push': {
      if (oneIn (2))
        return [word, value (1)];
      const list = each ();
      if (oneIn (2))
        list.$slice = below (5) - 2;
      return [word, list];
    }
    case '$addToSet': return [word, oneIn (2) ? value (1) : each ()];
    case '$pull':
      return [word, oneIn (3) ? operators ('a', documents, 0) : value (1)];
    default: return [word, value (2)];
    }
  }

  function update (documents) {
    const made = {};
    if (oneIn (12)) {
      const whole = document (0);
      delete whole._id;
      return whole;
    }
    // Of different fields: that two must not meet is tally's own rule.
    for (const field of ['a', 'b', 'c']) {
      if (!oneIn (2))
        continue;
      const path = pick (paths.filter (p => p.split ('.')[0] === field));
      const [word, argument] = modifier (documents);
      made[word] = made[word] || {};
      made[word][path] = argument;
    }
    return Object.keys (made).length > 0 ? made : { $set: { a: value (2) } };
  }

  return { below, oneIn, pick, document, query, sort, shown, update };
}

module.exports = { make };
