// The hover card of a report's map: a ring around the nearest point, and a card with its picture and name.
"use strict";
const svg = document.getElementById("map");
if (svg) {
  const points = JSON.parse(document.getElementById("points").textContent);
  const ring = document.getElementById("ring");
  const card = document.getElementById("card");
  const [image, words] = card.children;
  const REACH_PX = 16;
  let shown = -1;

  const nearest = (x, y, reach) => {
    let best = -1;
    let least = reach * reach;
    for (let i = 0; i < points.x.length; i += 1) {
      const distance = (points.x[i] - x) ** 2 + (points.y[i] - y) ** 2;
      if (distance < least) {
        least = distance;
        best = i;
      }
    }
    return best;
  };

  const thumbnailOf = (index) => {
    const inGallery = document.querySelector(`img[data-id="${points.id[index]}"]`);
    return points.thumbnail[index] ?? inGallery?.src ?? "";
  };

  const fill = (index) => {
    const source = thumbnailOf(index);
    image.hidden = source === "";
    if (source !== "") image.src = source;
    const value = document.createElement("small");
    const rank = points.rank[index];
    value.textContent = rank === null ? "no value" : `${points.measure}: percentile ${rank}`;
    words.replaceChildren(points.name[index], value);
    ring.setAttribute("cx", points.x[index]);
    ring.setAttribute("cy", points.y[index]);
  };

  const hide = () => {
    shown = -1;
    card.hidden = true;
    ring.setAttribute("cx", -99);
  };

  const moveCard = (event) => {
    const right = event.clientX + 16 + card.offsetWidth > innerWidth;
    const below = event.clientY + 16 + card.offsetHeight > innerHeight;
    card.style.left = `${Math.max(4, right ? event.clientX - 16 - card.offsetWidth : event.clientX + 16)}px`;
    card.style.top = `${Math.max(4, below ? event.clientY - 16 - card.offsetHeight : event.clientY + 16)}px`;
  };

  const look = (event) => {
    const box = svg.getBoundingClientRect();
    const scale = svg.viewBox.baseVal.width / box.width;
    const index = nearest((event.clientX - box.left) * scale, (event.clientY - box.top) * scale, REACH_PX * scale);
    if (index < 0) {
      hide();
      return;
    }
    if (index !== shown) {
      shown = index;
      fill(index);
      card.hidden = false;
    }
    moveCard(event);
  };

  svg.addEventListener("pointermove", look);
  svg.addEventListener("pointerdown", look);
  svg.addEventListener("pointerleave", hide);
}
