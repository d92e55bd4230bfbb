// Part of the map's module: what each point is painted with, and which lie on top.

const CLEAR_SIDE = 0.2; // opacity of points on the clear side of the threshold
const CROWD = 5000; // more points than this hide one another
const TOP_STEP = 252; // the 99th percentile

function listOf(n) {
  return {
    n,
    x: new Float32Array(n),
    y: new Float32Array(n),
    colour: new Uint32Array(n),
    strength: new Int8Array(n),
    alpha: new Uint16Array(n),
  };
}

// How each point stands out: 2 fully, 1 on the clear side of the threshold, -1 of a class not shown, 0 not at all.
function strengthsOf({ points, data, focus, threshold }) {
  const shown = data.class_shown && new Set(data.class_shown);
  const isShown = (label) => (focus ? label === focus.index : !shown || shown.has(label));
  const others = focus?.isAlone ? 0 : -1;
  const steps = data.colour === "class" ? null : points[data.colour];
  const firstStep = (threshold ?? 0) * 2.54;
  return Int8Array.from(points.label, (label, i) => {
    if (!isShown(label)) return others;
    return steps && steps[i] < firstStep ? 1 : 2;
  });
}

const opacityOf = (strength) => (strength === 2 ? 1 : strength === 1 ? CLEAR_SIDE : strength === 0 ? 0 : 0.55);

function colourOf(points, i, kind, theme) {
  if (kind === "class") return points.label[i] === NO_LABEL ? theme.missing : classColour(points.label[i], theme);
  const step = points[kind][i];
  return step === MISSING ? theme.missing : theme.ramp[step];
}

// Rows in the order in which they are drawn: dimmed ones first, then from clear to ambiguous, so that those lie on top.
// In a crowd that would paint every dense place ambiguous: there the order is as good as random, so that the colours
// of a place stand in their true proportions, and only the most ambiguous hundredth lies on top.
function drawingOrder(points, strength, kind) {
  const steps = kind === "confusability" ? points.confusability : points.uncertainty;
  const dice = new Uint32Array(points.ids.buffer, points.ids.byteOffset, 2 * points.n);
  const isTop = (i) => steps[i] >= TOP_STEP && steps[i] !== MISSING;
  const inCrowd = (i) => (isTop(i) ? 255 : 1 + (dice[2 * i] & 127));
  const inOrder = (i) => (steps[i] === MISSING ? 0 : steps[i] + 1);
  const depthOf = points.n > CROWD ? inCrowd : inOrder;
  const layerOf = (i) => (strength[i] > 0 ? 256 : 0) + depthOf(i);
  const starts = new Uint32Array(513);
  for (let i = 0; i < points.n; i++) starts[layerOf(i) + 1]++;
  for (let layer = 0; layer < 512; layer++) starts[layer + 1] += starts[layer];
  const order = new Uint32Array(points.n);
  for (let i = 0; i < points.n; i++) order[starts[layerOf(i)]++] = i;
  return order;
}
