"use strict";
(function () {
  const data = JSON.parse(document.getElementById("data").textContent);
  const byId = (name) => document.getElementById(name);
  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const n = data.corners.length, phases = data.phases;
  const place = {};
  phases.forEach((p, k) => { place[p.formula] = k; });

  // ---------------------------------------------------------------- the hull
  const canvas = byId("hull"), view = byId("view");
  let spots = [], chosen = -1, frame = data.frames.length - 1;
  let turn = [0.35, 0.3];
  const stateNow = () => {
    const moment = data.frames[frame];
    if (!moment || frame === data.frames.length - 1) return { stable: new Set(data.stable), lines: data.lines, faces: data.faces, energy: null, above: (k) => phases[k].above };
    const energy = new Map(moment.heights.map(([k, e]) => [k, e])), above = new Map(moment.heights.map(([k, _, a]) => [k, a]));
    return { stable: new Set(moment.stable), lines: moment.lines, faces: moment.faces, energy: energy, above: (k) => above.get(k) ?? null };
  };
  const TRIANGLE = [[0, 0], [1, 0], [0.5, Math.sqrt(0.75)]];
  // A regular tetrahedron that stands on its first three corners, at a distance of the square root of 3.
  const SOLID = [...[Math.PI / 2, 7 * Math.PI / 6, 11 * Math.PI / 6].map((t) => [Math.sqrt(8 / 3) * Math.cos(t), -Math.sqrt(1 / 3), Math.sqrt(8 / 3) * Math.sin(t)]), [0, Math.sqrt(3), 0]];
  const SPAN = Math.sqrt(8);  // its edge, the most it takes however it is turned
  function flat(shares, corners) {
    let x = 0, y = 0;
    corners.forEach((c, k) => { x += shares[k] * c[0]; y += shares[k] * c[1]; });
    return [x, y];
  }
  function solid(shares) {
    let p = [0, 0, 0];
    SOLID.forEach((c, k) => { p = p.map((v, i) => v + shares[k] * c[i]); });
    const [a, b] = turn;
    const x = Math.cos(a) * p[0] + Math.sin(a) * p[2], z = -Math.sin(a) * p[0] + Math.cos(a) * p[2];
    return [x, Math.cos(b) * p[1] - Math.sin(b) * z];
  }
  // What is drawn: [index, x, y] for every phase that the view shows, and a function for corners.
  function layout(now) {
    const mode = view.value;
    const energyOf = (k) => (now.energy ? now.energy.get(k) : phases[k].formation);
    const all = phases.map((_, k) => k).filter((k) => energyOf(k) !== undefined && energyOf(k) !== null);
    if (mode === "line") return { points: all.map((k) => [k, phases[k].shares[1], energyOf(k)]), corners: [] };
    if (mode.startsWith("edge:")) {
      const [a, b] = mode.slice(5).split(",").map(Number);
      const on = all.filter((k) => phases[k].shares[a] + phases[k].shares[b] > 1 - 1e-6);
      return { points: on.map((k) => [k, phases[k].shares[b], energyOf(k)]), corners: [], ends: [a, b] };
    }
    if (mode.startsWith("cut:")) {
      const fixed = Number(mode.slice(4)), share = Number(byId("share").value) / 100;
      const rest = data.corners.map((_, k) => k).filter((k) => k !== fixed);
      const on = all.filter((k) => Math.abs(phases[k].shares[fixed] - share) < 0.026);
      const to = (shares) => flat(rest.map((r) => shares[r] / (1 - shares[fixed] || 1)), TRIANGLE);
      return { points: on.map((k) => [k, ...to(phases[k].shares)]), cuts: cutsOf(now.faces, fixed, share).map((ends) => ends.map(to)), corners: rest.map((r, i) => [data.corners[r], ...TRIANGLE[i]]), frame: [[0, 1], [1, 2], [0, 2]] };
    }
    const to = n === 3 ? (s) => flat(s, TRIANGLE) : solid;
    const unit = data.corners.map((_, k) => data.corners.map((__, i) => (i === k ? 1 : 0)));
    const frameLines = [];
    for (let i = 0; i < n; i++) for (let j = i + 1; j < n; j++) frameLines.push([i, j]);
    return { points: all.map((k) => [k, ...to(phases[k].shares)]), corners: unit.map((u, k) => [data.corners[k], ...to(u)]), frame: frameLines };
  }
  // Where the faces of the hull cross the plane at a share of a corner: pairs of compositions.
  function cutsOf(faces, fixed, share) {
    const found = [];
    faces.forEach((face) => {
      const corners = face.map((k) => phases[k].shares), ends = [];
      for (let i = 0; i < 3; i++) {
        const p = corners[i], q = corners[(i + 1) % 3], before = p[fixed] - share, after = q[fixed] - share;
        if (Math.abs(before) < 1e-9) ends.push(p);
        else if (before * after < 0 && Math.abs(after) >= 1e-9) ends.push(p.map((v, c) => v + (q[c] - v) * before / (before - after)));
      }
      if (ends.length === 2) found.push(ends);
    });
    return found;
  }
  const STYLE = {
    "stable known": ["#0072B2", "circle", true], "stable unlisted": ["#D55E00", "diamond", true],
    "near known": ["#0072B2", "circle", false], "near unlisted": ["#D55E00", "diamond", false],
    above: ["#8c959f", "dot", true],
  };
  const UNLISTED = "not in the library";
  function kindOf(p) { return p.origin === UNLISTED ? "unlisted" : "known"; }
  function styleOf(k, now) {
    const p = phases[k];
    if (now.stable.has(k)) return "stable " + kindOf(p);
    const above = now.above(k);
    return above !== null && above <= data.near ? "near " + kindOf(p) : "above";
  }
  function shape(pen, kind, x, y, r) {
    pen.beginPath();
    if (kind === "diamond") { pen.moveTo(x, y - 1.3 * r); pen.lineTo(x + 1.3 * r, y); pen.lineTo(x, y + 1.3 * r); pen.lineTo(x - 1.3 * r, y); pen.closePath(); }
    else pen.arc(x, y, kind === "dot" ? 0.55 * r : r, 0, 2 * Math.PI);
  }
  function mark(pen, name, x, y, r) {
    const [colour, kind, full] = STYLE[name];
    shape(pen, kind, x, y, r);
    pen.fillStyle = full ? colour : css("--back"); pen.fill();
    pen.strokeStyle = colour; pen.lineWidth = 1.5; pen.stroke();
  }
  function ticks(low, high, count) {
    const raw = (high - low) / count; if (!(raw > 0)) return [low];
    const power = Math.pow(10, Math.floor(Math.log10(raw))), step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= raw);
    const found = []; for (let v = Math.ceil(low / step) * step; v <= high + 1e-9; v += step) found.push(Number(v.toPrecision(6)));
    return found;
  }
  function draw() {
    if (!phases.length || !data.complete) return;
    byId("hull-section").hidden = false;
    const now = stateNow(), ratio = window.devicePixelRatio || 1;
    const width = canvas.clientWidth, height = canvas.clientHeight;
    canvas.width = width * ratio; canvas.height = height * ratio;
    const pen = canvas.getContext("2d"); pen.scale(ratio, ratio); pen.clearRect(0, 0, width, height);
    pen.font = "13px system-ui, sans-serif";
    const limit = Number(byId("height").value) / 1000;
    const plan = layout(now), flatView = view.value === "line" || view.value.startsWith("edge:");
    const show = plan.points.filter(([k]) => now.stable.has(k) || now.above(k) === null || now.above(k) <= limit + 1e-12);
    const where = new Map();
    let X, Y;
    if (flatView) {
      const left = 66, right = 24, head = 20, foot = 46;
      const values = show.map((s) => s[2]), low = Math.min(0, ...values), high = Math.max(0.02, Math.max(...values, 0));
      const room = high - low || 1;
      X = (v) => left + v * (width - left - right); Y = (v) => head + (high + 0.04 * room - v) / (1.14 * room) * (height - head - foot);
      pen.strokeStyle = css("--line"); pen.fillStyle = css("--quiet"); pen.lineWidth = 1;
      ticks(low, high, 6).forEach((v) => { pen.beginPath(); pen.moveTo(left, Y(v)); pen.lineTo(width - right, Y(v)); pen.stroke(); pen.textAlign = "right"; pen.fillText(String(v), left - 12, Y(v) + 4); });
      ticks(0, 1, 5).forEach((v) => { pen.textAlign = "center"; pen.fillText(String(v), X(v), height - foot + 18); });
      const ends = plan.ends || [0, 1];
      pen.fillText("share of the atoms in " + data.corners[ends[1]] + " (the rest: " + data.corners[ends[0]] + ")", (left + width - right) / 2, height - 8);
      pen.save(); pen.translate(14, height / 2); pen.rotate(-Math.PI / 2); pen.fillText("formation energy (eV/atom)", 0, 0); pen.restore();
    } else {
      const xs = [...plan.corners.map((c) => c[1])], ys = [...plan.corners.map((c) => c[2])];
      const spread = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
      const turns = n === 4 && view.value === "whole";
      const scale = Math.min((width - 110) / (turns ? SPAN : spread[1] - spread[0]), (height - 70) / (turns ? SPAN : spread[3] - spread[2]));
      const cx = (spread[0] + spread[1]) / 2, cy = (spread[2] + spread[3]) / 2;
      X = (v) => width / 2 + (v - cx) * scale; Y = (v) => height / 2 - (v - cy) * scale;
      pen.strokeStyle = css("--line"); pen.lineWidth = 1;
      plan.frame.forEach(([a, b]) => { pen.beginPath(); pen.moveTo(X(plan.corners[a][1]), Y(plan.corners[a][2])); pen.lineTo(X(plan.corners[b][1]), Y(plan.corners[b][2])); pen.stroke(); });
      pen.fillStyle = css("--text"); pen.textAlign = "center"; pen.font = "600 14px system-ui, sans-serif";
      plan.corners.forEach(([name, x, y]) => { const dx = x - cx, dy = y - cy, size = Math.hypot(dx, dy) || 1; pen.fillText(name, X(x) + 20 * dx / size, Y(y) - 20 * dy / size + 5); });
      pen.font = "13px system-ui, sans-serif";
    }
    show.forEach(([k, x, y]) => where.set(k, [X(x), Y(y)]));
    pen.strokeStyle = css("--quiet"); pen.lineWidth = 1;
    const lines = flatView ? chain(show, now) : view.value.startsWith("cut:") ? [] : now.lines;
    (plan.cuts || []).forEach(([p, q]) => { pen.beginPath(); pen.moveTo(X(p[0]), Y(p[1])); pen.lineTo(X(q[0]), Y(q[1])); pen.stroke(); });
    if (flatView && !now.energy) show.forEach(([k, x, y]) => {
      const second = phases[k].judged; if (second === null || phases[k].above === null) return;
      const end = Y(y - phases[k].above + second); pen.beginPath(); pen.moveTo(X(x), Y(y)); pen.lineTo(X(x), end); pen.moveTo(X(x) - 4, end); pen.lineTo(X(x) + 4, end); pen.stroke();
    });
    lines.forEach(([a, b]) => { const p = where.get(a), q = where.get(b); if (!p || !q) return; pen.beginPath(); pen.moveTo(...p); pen.lineTo(...q); pen.stroke(); });
    spots = [];
    const order = [...show].sort((p, q) => now.stable.has(p[0]) - now.stable.has(q[0]));
    order.forEach(([k]) => { const [x, y] = where.get(k); mark(pen, styleOf(k, now), x, y, 5); spots.push([x, y, k]); });
    if (chosen >= 0 && where.has(chosen)) { const [x, y] = where.get(chosen); pen.strokeStyle = css("--text"); pen.lineWidth = 2; pen.beginPath(); pen.arc(x, y, 10, 0, 2 * Math.PI); pen.stroke(); }
    if (byId("names").checked) {
      pen.fillStyle = css("--text"); pen.textAlign = "left"; pen.font = "12px system-ui, sans-serif";
      const taken = [];
      order.filter(([k]) => now.stable.has(k)).forEach(([k]) => {
        const [x, y] = where.get(k), size = pen.measureText(phases[k].formula).width;
        if (phases[k].shares.some((s) => s > 1 - 1e-9)) return;
        const at = [[x + 8, y - 7], [x + 8, y + 15], [x - size - 8, y - 7], [x - size - 8, y + 15]].find(([u, v]) => u > 0 && u + size < width && !taken.some(([a, b, c]) => u < a + c && a < u + size && Math.abs(v - b) < 13));
        if (!at) return;
        taken.push([at[0], at[1], size]); pen.fillText(phases[k].formula, ...at);
      });
    }
    canvas.setAttribute("aria-label", "Convex hull of " + data.corners.join("-") + ": " + now.stable.size + " stable phases: " + [...now.stable].map((k) => phases[k].formula).join(", "));
    const moment = data.frames[frame];
    byId("moment").textContent = moment ? "after " + moment.visits + " visits, " + (moment.core_s / 60).toFixed(1) + " min of processor time" : "";
  }
  function chain(show, now) {
    const on = show.filter(([k]) => now.stable.has(k)).sort((p, q) => p[1] - q[1]);
    return on.slice(1).map((p, i) => [on[i][0], p[0]]);
  }
  function legend() {
    const box = byId("legend");
    [["stable known", "stable, in the library"], ["stable unlisted", "stable, " + UNLISTED], ["near known", "within " + 1000 * data.near + " meV/atom, in the library"], ["near unlisted", "within " + 1000 * data.near + " meV/atom, " + UNLISTED], ["above", "higher."]].forEach(([name, text]) => {
      const mini = document.createElement("canvas"); mini.width = 16; mini.height = 16; mini.style.cssText = "width:16px;height:16px;border:0;display:inline-block;vertical-align:-3px;margin:0 3px 0 10px;background:none";
      const item = document.createElement("span"); item.appendChild(mini); item.appendChild(document.createTextNode(text));
      mark(mini.getContext("2d"), name, 8, 8, 5); box.appendChild(item); box.appendChild(document.createTextNode(" "));
    });
    if (phases.some((p) => p.judged !== null)) box.appendChild(document.createTextNode("Bars on a line of two corners: the distance from the hull by the second model. "));
    box.appendChild(document.createTextNode(n === 4 ? "Drag to rotate; click a phase for its structure." : "Click a phase for its structure."));
  }
  function views() {
    const options = n === 2 ? [["line", "line"]] : [["whole", n === 3 ? "triangle" : "tetrahedron"]];
    if (n > 4) options.length = 0;
    if (n > 2) for (let i = 0; i < n; i++) for (let j = i + 1; j < n; j++) options.push(["edge:" + i + "," + j, data.corners[i] + "-" + data.corners[j]]);
    if (n === 4) data.corners.forEach((name, k) => options.push(["cut:" + k, "section at a share of " + name]));
    options.forEach(([value, text]) => { const o = document.createElement("option"); o.value = value; o.textContent = text; view.appendChild(o); });
    byId("view-label").hidden = options.length < 2;
  }
  const nearest = (event) => {
    const box = canvas.getBoundingClientRect(), x = event.clientX - box.left, y = event.clientY - box.top;
    let best = null, least = 200;
    spots.forEach(([px, py, k]) => { const d = (px - x) ** 2 + (py - y) ** 2; if (d < least) { least = d; best = k; } });
    return best;
  };
  let from = null, moved = false;
  canvas.addEventListener("pointerdown", (event) => { from = [event.clientX, event.clientY]; moved = false; });
  canvas.addEventListener("pointermove", (event) => {
    if (from && n === 4 && view.value === "whole") {
      const dx = event.clientX - from[0], dy = event.clientY - from[1];
      if (Math.abs(dx) + Math.abs(dy) > 2) moved = true;
      turn = [turn[0] + dx / 150, turn[1] + dy / 150]; from = [event.clientX, event.clientY]; draw();
      return;
    }
    const k = nearest(event);
    canvas.title = k === null ? "" : words(phases[k]);
  });
  window.addEventListener("pointerup", () => { from = null; });
  canvas.addEventListener("click", (event) => { const k = nearest(event); if (k !== null && !moved) choose(k); });
  canvas.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: [-0.15, 0], ArrowRight: [0.15, 0], ArrowUp: [0, -0.15], ArrowDown: [0, 0.15] }[event.key];
    if (!step || n !== 4) return;
    turn = [turn[0] + step[0], turn[1] + step[1]]; draw(); event.preventDefault();
  });
  const words = (p) => p.formula + (p.above === null ? "" : ", " + (1000 * p.above).toFixed(0) + " meV/atom above the hull") + ", " + p.origin + (p.type ? "; " + p.type : "");

  // ---------------------------------------------------------------- the structure
  let viewer = null;
  function choose(k) {
    chosen = k; draw();
    const p = phases[k], cell = p.cell;
    document.querySelectorAll("#ranking tr.chosen").forEach((row) => row.classList.remove("chosen"));
    const row = [...document.querySelectorAll("#ranking tbody tr")].find((r) => r.dataset.formula === p.formula);
    if (row) row.classList.add("chosen");
    byId("structure").hidden = false;
    byId("structure-title").textContent = words(p);
    const pairs = document.createElement("dl"); byId("details").replaceChildren(pairs);
    p.details.forEach(([name, text]) => {
      const head = document.createElement("dt"); head.textContent = name; pairs.appendChild(head);
      const body = document.createElement("dd"); body.textContent = text; pairs.appendChild(body);
    });
    byId("viewer").setAttribute("aria-label", "Rotatable picture of " + p.formula);
    if (!viewer && window.$3Dmol) {
      try { viewer = $3Dmol.createViewer(byId("viewer"), { backgroundAlpha: 0 }); viewer.setProjection("orthographic"); viewer.rotate(-20, "y"); viewer.rotate(14, "x"); } catch (error) { viewer = null; }
    }
    if (!viewer) { byId("atoms").textContent = "This browser cannot draw it (no WebGL)."; return; }
    viewer.removeAllModels(); viewer.removeAllShapes();
    if (!cell) { byId("atoms").textContent = "Too large, or too far from the hull, to be drawn here."; viewer.render(); return; }
    const c = cell.cell, a = [c.slice(0, 3), c.slice(3, 6), c.slice(6, 9)];
    const at = (s, t, u) => ({ x: s * a[0][0] + t * a[1][0] + u * a[2][0], y: s * a[0][1] + t * a[1][1] + u * a[2][1], z: s * a[0][2] + t * a[1][2] + u * a[2][2] });
    const atoms = [];
    cell.atoms.forEach(([symbol, x, y, z, fx, fy, fz]) => {
      const edges = [fx, fy, fz].map((f) => (f < 1e-3 ? [0, 1] : f > 1 - 1e-3 ? [-1, 0] : [0]));
      edges[0].forEach((i) => edges[1].forEach((j) => edges[2].forEach((k2) => { const d = at(i, j, k2); atoms.push({ elem: symbol, x: x + d.x, y: y + d.y, z: z + d.z, serial: atoms.length, bonds: [], bondOrder: [] }); })));
    });
    const model = viewer.addModel(); model.addAtoms(atoms);
    viewer.setStyle({}, { sphere: { scale: 0.28, colorscheme: "Jmol" } });
    cell.bonds.forEach(([i, x, y, z]) => { const s = cell.atoms[i]; viewer.addCylinder({ start: { x: s[1], y: s[2], z: s[3] }, end: { x: s[1] + x / 2, y: s[2] + y / 2, z: s[3] + z / 2 }, radius: 0.08, color: "#8c959f" }); });
    for (let i = 0; i < 2; i++) for (let j = 0; j < 2; j++) [[at(0, i, j), at(1, i, j)], [at(i, 0, j), at(i, 1, j)], [at(i, j, 0), at(i, j, 1)]].forEach(([p1, p2]) => viewer.addLine({ start: p1, end: p2, color: "#57606a" }));
    viewer.zoomTo(); viewer.render(); viewer.resize();
    const table = $3Dmol.elementColors.Jmol, note = byId("atoms"); note.textContent = "";
    [...new Set(cell.atoms.map((s) => s[0]))].forEach((symbol) => {
      const dot = document.createElement("span"); dot.className = "swatch"; dot.style.background = "#" + (table[symbol] === undefined ? 0x999999 : table[symbol]).toString(16).padStart(6, "0");
      note.appendChild(dot); note.appendChild(document.createTextNode(symbol));
    });
  }

  // ---------------------------------------------------------------- the table
  const table = byId("ranking"), body = table.tBodies[0];
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    head.querySelector("button").addEventListener("click", () => {
      const rising = head.getAttribute("aria-sort") !== "ascending";
      [...table.tHead.rows[0].cells].forEach((other) => other.setAttribute("aria-sort", "none"));
      head.setAttribute("aria-sort", rising ? "ascending" : "descending");
      const value = (row) => row.cells[column].textContent.trim();
      const rows = [...body.rows].sort((p, q) => {
        const a = value(p), b = value(q);
        if (!a || !b) return !a - !b;
        const order = isNaN(a) || isNaN(b) ? a.localeCompare(b) : Number(a) - Number(b);
        return rising ? order : -order;
      });
      rows.forEach((row) => body.appendChild(row));
    });
  });
  body.addEventListener("click", (event) => {
    const row = event.target.closest("tr");
    if (!row || event.target.closest("a") || !(row.dataset.formula in place)) return;
    choose(place[row.dataset.formula]);
    byId("structure").scrollIntoView({ behavior: "smooth", block: "start" });
  });
  byId("filter").addEventListener("input", () => {
    const wanted = byId("filter").value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    [...body.rows].forEach((row) => { const text = row.textContent.toLowerCase(); row.hidden = !wanted.every((word) => text.includes(word)); shown += !row.hidden; });
    byId("shown").textContent = wanted.length ? shown + " of " + body.rows.length + " rows" : "";
  });

  // ---------------------------------------------------------------- begin
  views(); legend();
  const isCut = () => view.value.startsWith("cut:");
  view.addEventListener("change", () => { byId("section-label").hidden = !isCut(); draw(); });
  byId("share").addEventListener("input", () => { byId("share-text").textContent = byId("share").value + " %"; draw(); });
  byId("share-text").textContent = "0 %";
  byId("height").addEventListener("input", draw);
  byId("names").addEventListener("change", draw);
  byId("save").addEventListener("click", () => { const link = document.createElement("a"); link.download = "hull.png"; link.href = canvas.toDataURL("image/png"); link.click(); });
  const grown = byId("grown");
  if (data.frames.length > 1) {
    byId("growth").hidden = false; grown.max = data.frames.length - 1; grown.value = data.frames.length - 1;
    grown.addEventListener("input", () => { frame = Number(grown.value); draw(); });
    let timer = null;
    byId("play").addEventListener("click", () => {
      if (timer) { clearInterval(timer); timer = null; byId("play").textContent = "play"; return; }
      byId("play").textContent = "stop"; frame = 0;
      timer = setInterval(() => { grown.value = frame; draw(); frame += 1; if (frame >= data.frames.length) { frame = data.frames.length - 1; clearInterval(timer); timer = null; byId("play").textContent = "play"; } }, 350);
    });
  }
  window.addEventListener("resize", () => { draw(); if (viewer) { viewer.resize(); viewer.render(); } });
  draw();
  if (phases.length && data.complete && data.stable.length) { const inner = data.stable.filter((k) => phases[k].cell && phases[k].shares.every((s) => s < 1 - 1e-9)); const first = inner.find((k) => phases[k].origin === UNLISTED) ?? inner[0]; if (first !== undefined) choose(first); }
})();
