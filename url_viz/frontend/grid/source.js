// The ids and tiles of one order: the first come with the page, the others are fetched when they are looked at.

const BLOCK = 60; // tiles that are fetched at once

/** @import { Tile } from "../gallery/cell.js" */

export class Source {
  /** @param {() => void} onChange when there is more to show */
  constructor(onChange) {
    this.onChange = onChange;
    /** @type {string[]} */
    this.ids = [];
    /** @type {Map<string, Tile>} what is known of pictures, perhaps from an earlier version */
    this.tiles = new Map();
    this.blocks = new Set(); // fetched or being fetched, of this version
    this.isComplete = false;
    this.failure = "";
  }

  stop() {
    this.stopper?.abort();
  }

  /** @param {Map<string, string | null>} decided decisions by id, for the tiles that are here */
  decide(decided) {
    for (const [id, decision] of decided) if (this.tiles.has(id)) this.tiles.get(id).decision = decision;
  }

  /** @param {{order: string, order_url: string, tiles_url: string, total: number, first: Tile[]}} pane */
  update({ order, order_url: orderUrl, tiles_url: tilesUrl, total, first }) {
    if (tilesUrl !== this.tilesUrl) {
      this.stopper?.abort();
      this.stopper = new AbortController();
      this.blocks.clear();
      this.failure = "";
    }
    for (const tile of first) this.tiles.set(tile.id, tile);
    const isNew = order !== this.order;
    Object.assign(this, { order, orderUrl, tilesUrl, total });
    if (isNew) this.ids = first.map(({ id }) => id);
    if (isNew) this.isComplete = this.ids.length >= total;
    if (!this.isComplete && isNew) this.fetchIds();
  }

  async fetchIds() {
    const { order } = this;
    const bytes = await this.answerOf(this.orderUrl, (answer) => answer.arrayBuffer());
    if (!bytes || order !== this.order) return;
    this.ids = Array.from(new BigInt64Array(bytes), String);
    this.isComplete = true;
    this.onChange();
  }

  /** Fetch what is not known of the tiles at these places. @param {number} from @param {number} to */
  async need(from, to) {
    for (let block = Math.floor(from / BLOCK); block * BLOCK < to; block++) {
      const places = this.ids.slice(block * BLOCK, (block + 1) * BLOCK);
      if (this.blocks.has(block) || !places.length) continue;
      this.blocks.add(block);
      this.fetchBlock(block);
    }
  }

  async fetchBlock(block) {
    const { tilesUrl } = this;
    const [from, to] = [block * BLOCK, (block + 1) * BLOCK];
    const url = tilesUrl.replace("{from}", from).replace("{to}", to);
    const tiles = await this.answerOf(url, (answer) => answer.json());
    if (!tiles || tilesUrl !== this.tilesUrl) return;
    for (const tile of tiles) this.tiles.set(tile.id, tile);
    this.onChange();
  }

  // What `read` makes of the answer; undefined if it failed, or another version is shown by now.
  async answerOf(url, read) {
    const { signal } = this.stopper;
    try {
      const answer = await fetch(url, { signal });
      if (!answer.ok) throw new Error(await answer.text());
      return await read(answer);
    } catch (error) {
      if (signal.aborted) return undefined;
      this.failure = error.message;
      this.onChange();
      return undefined;
    }
  }
}
