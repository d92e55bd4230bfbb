// Long names, cut so that what tells them apart is left: most differ at their end.

/**
 * @param {string} name
 * @param {number} end characters that are never cut
 * @returns {[string, string]} what may be cut, by CSS at its end, and what is always shown
 */
export function endsOf(name, end) {
  return [name.slice(0, -end), name.slice(-end)];
}

/** @param {string} name @param {number} most characters @returns {string} without its middle if it is longer */
export function shortened(name, most) {
  const end = Math.floor((most - 1) / 2);
  return name.length <= most ? name : `${name.slice(0, most - 1 - end)}…${name.slice(-end)}`;
}
