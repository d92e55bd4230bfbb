// The pace of what glides.

/** @returns {boolean} whether the user asked for less motion */
export const prefersStillness = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

/** @param {number} share of the time @returns {number} share of the way, 0 to 1: fast at first, then slower */
export const eased = (share) => (share >= 1 ? 1 : share <= 0 ? 0 : 1 - (1 - share) ** 3);
