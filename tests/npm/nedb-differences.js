// SPDX-License-Identifier: MIT
// Where tally and NeDB are known to differ.  Each difference has the name that
// tally-query(7) gives it, and says of one document whether a condition (or a
// sort, a projection, a modifier) may show it there: only such a document may
// be answered differently.

const isDate = v => v !== null && typeof v === 'object'
  && typeof v.$$date === 'number';
const isObject = v => v !== null && typeof v === 'object'
  && !Array.isArray (v) && !isDate (v);
const isOrdered = v => typeof v === 'number' || typeof v === 'string'
  || isDate (v);
const isOperators = v => isObject (v) && Object.keys (v).length > 0
  && Object.keys (v).every (k => k[0] === '$');

// Everything at a path, and what stands on the way there.
function reach (value, parts, seen) {
  if (parts.length === 0) {
    seen.values.push (value);
    if (Array.isArray (value)) {
      seen.array = true;
      seen.nested ||= value.some (Array.isArray);
    }
    return seen;
  }
  const [part, ...rest] = parts;
  if (Array.isArray (value)) {
    const place = /^[0-9]+$/.test (part);
    seen.array = seen.way = true;
    seen.nested ||= value.some (Array.isArray);
    if (place && Number (part) < value.length) {
      reach (value[Number (part)], rest, seen);
      seen.empty ||= rest.length === 0
        && [0, '', false].includes (value[Number (part)]);
    } else
      seen.missing = true;
    for (const element of value)
      if (isObject (element))
        reach (element, parts, seen);
      else
        seen.missing = true;
    return seen;
  }
  if (isObject (value) && Object.hasOwn (value, part))
    return reach (value[part], rest, seen);
  seen.letters ||= typeof value === 'string' && value.length > 0
    && /^[0-9]+$/.test (part);
  seen.missing = true;
  seen.blocked ||= value !== undefined && !isObject (value);
  return seen;
}

function look (document, path) {
  return reach (document, path.split ('.'), { values: [] });
}

const N = {
  missing: 'null is not what is missing',
  each: '$ne and $nin hold for an array that has another element',
  same: 'several operators must hold for the same element',
  order: 'only numbers, strings and dates are less or greater',
  exists: '$exists looks at the elements of an array',
  whole: 'an array in a query is compared with a whole array only',
  nested: 'arrays in arrays are looked into',
  letters: 'a number in a path names a letter of a string',
  empty: 'an element that is 0, "" or false is missing when its place is named',
  through: '$size, $elemMatch and $exists see one array of all that a path finds',
  element: '$elemMatch and $pull with operators refuse elements that are objects',
  objects: 'objects sort, and are added to sets, by their values only',
  sortWay: 'a sort by a path through an array counts what is missing there',
  index: 'without a sort, what _id is asked for comes in any order',
  id: 'a projection of _id alone leaves out nothing',
  shown: 'a projection by a path gives nothing for what is missing, and lists'
    + ' for arrays',
  way: 'a modifier passes over, or takes apart, what is no object on its path',
  types: '$min and $max compare as JavaScript does',
  none: '$pull and $pop refuse what is missing',
  upsert: 'an upsert takes over equalities at the top only, and operators as {}'
};

// ---- conditions ----------------------------------------------------------

function listed (condition, words) {
  return words.flatMap (w => condition[w] === undefined ? []
    : Array.isArray (condition[w]) && w.endsWith ('in') ? condition[w]
      : [condition[w]]);
}

function ofCondition (seen, condition, names) {
  const operators = isOperators (condition) ? condition : { $eq: condition };
  const words = Object.keys (operators);
  const equal = listed (operators, ['$eq', '$ne', '$in', '$nin']);
  const bounds = listed (operators, ['$lt', '$lte', '$gt', '$gte']);
  const has = (...some) => words.some (w => some.includes (w));

  if (equal.includes (null) && seen.missing)
    names.add (N.missing);
  if (has ('$ne', '$nin') && seen.array)
    names.add (N.each);
  if (words.length > 1 && seen.array)
    names.add (N.same);
  if (bounds.some (b => !isOrdered (b)
      || (isDate (b) && seen.values.flat ().some (v => !isOrdered (v)))))
    names.add (N.order);
  if (has ('$exists') && seen.array)
    names.add (seen.way ? N.through : N.exists);
  if (equal.some (Array.isArray) && seen.array)
    names.add (N.whole);
  if (seen.nested)
    names.add (N.nested);
  if (seen.letters)
    names.add (N.letters);
  if (seen.empty)
    names.add (N.empty);
  if (has ('$size', '$elemMatch') && seen.way)
    names.add (N.through);
  if (operators.$elemMatch !== undefined)
    for (const element of seen.values.filter (Array.isArray).flat ())
      ofElement (element, operators.$elemMatch, names);
}

function ofElement (element, query, names) {
  if (isOperators (query)) {
    if (isObject (element))
      names.add (N.element);
    ofCondition (reach (element, [], { values: [] }), query, names);
  } else if (isObject (element))
    ofQuery (element, query, names);
}

function ofQuery (document, query, names) {
  for (const [key, value] of Object.entries (query))
    if (key === '$not')
      ofQuery (document, value, names);
    else if (key[0] === '$')
      value.forEach (q => ofQuery (document, q, names));
    else
      ofCondition (look (document, key), value, names);
  return names;
}

// ---- sorts and projections -----------------------------------------------

const hasObject = v => isObject (v)
  || (Array.isArray (v) && v.some (hasObject));

function ofSort (document, sort) {
  const names = new Set ();
  for (const path of sort.split (',').map (p => p.replace (/^-/, ''))) {
    const seen = look (document, path);
    if (seen.values.some (hasObject))
      names.add (N.objects);
    if (seen.way)
      names.add (N.sortWay);
    if (seen.letters)
      names.add (N.letters);
    if (seen.empty)
      names.add (N.empty);
  }
  return names;
}

function ofFields (document, fields) {
  const names = new Set ();
  if (fields === '_id')
    names.add (N.id);
  for (const path of fields.split (',')) {
    const seen = look (document, path);
    if (seen.way || (seen.missing && document[path.split ('.')[0]] !== undefined))
      names.add (N.shown);
    if (seen.letters)
      names.add (N.letters);
  }
  return names;
}

// ---- updates -------------------------------------------------------------

function ofPull (value, argument, names) {
  for (const element of Array.isArray (value) ? value : []) {
    if (Array.isArray (element))
      names.add (N.nested);
    ofElement (element, argument, names);
  }
}

function ofModifier (document, word, path, argument, names) {
  const seen = look (document, path);
  const value = seen.values[0];

  if (seen.way || seen.blocked)
    names.add (N.way);
  if (['$min', '$max'].includes (word) && value !== undefined
      && !(isOrdered (value) && isOrdered (argument)
           && isDate (value) === isDate (argument)
           && typeof value === typeof argument))
    names.add (N.types);
  if (['$pull', '$pop'].includes (word) && seen.missing)
    names.add (N.none);
  if (word === '$addToSet'
      && [argument, ...(argument && argument.$each ? argument.$each : []),
        ...(Array.isArray (value) ? value : [])].some (hasObject))
    names.add (N.objects);
  if (word === '$pull' && isObject (argument))
    ofPull (value, argument, names);
  else if (word === '$pull' && Array.isArray (value)
           && value.some (Array.isArray))
    names.add (N.nested);
}

function ofUpdate (document, update) {
  const names = new Set ();
  for (const [word, fields] of Object.entries (update))
    if (word[0] === '$')
      for (const [path, argument] of Object.entries (fields))
        ofModifier (document, word, path, argument, names);
  return names;
}

module.exports = { names: N, ofQuery, ofSort, ofFields, ofUpdate, isOperators };
