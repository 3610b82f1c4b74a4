"use strict";
(function () {
  const data = JSON.parse(document.getElementById("data").textContent);
  const byId = (name) => document.getElementById(name);
  const make = (tag, text, parent) => {
    const item = document.createElement(tag);
    if (text !== undefined) item.textContent = text;
    if (parent) parent.appendChild(item);
    return item;
  };
  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  // Sources have the same colour and the same shape in every plot (colours of Okabe and Ito).
  const COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8A6D00", "#777777"];
  const SHAPES = ["circle", "square", "triangle", "diamond", "cross", "plus", "down", "ring"];
  const KNOWN = ["prototypes", "symmetric", "blocks", "moves", "graph-search", "seeds", "pool", "lattice"];
  const sources = [...new Set(data.points.map((p) => p[1]))].sort();
  const styleOf = {};
  sources.forEach((name, k) => {
    const place = KNOWN.includes(name) ? KNOWN.indexOf(name) : k % COLOURS.length;
    styleOf[name] = { colour: COLOURS[place], shape: SHAPES[place] };
  });

  // ---------------------------------------------------------------- the structure
  let viewer = null, chosen = -1;
  function elementColour(symbol) {
    const table = $3Dmol.elementColors.Jmol;
    const value = table[symbol] === undefined ? 0x999999 : table[symbol];
    return "#" + value.toString(16).padStart(6, "0");
  }
  function draw() {
    if (!viewer || chosen < 0) return;
    const structure = data.structures[chosen];
    const cell = structure.cells[byId("cell").value] || structure.cells.given || structure.cells.conventional;
    viewer.removeAllModels(); viewer.removeAllShapes();
    byId("viewer").setAttribute("aria-label", "Rotatable picture of " + structure.title);
    if (!cell) { viewer.render(); return; }
    const n = Number(byId("repeat").value), c = cell.cell;
    const a = [c.slice(0, 3), c.slice(3, 6), c.slice(6, 9)];
    const at = (s, t, u) => ({ x: s * a[0][0] + t * a[1][0] + u * a[2][0], y: s * a[0][1] + t * a[1][1] + u * a[2][1], z: s * a[0][2] + t * a[1][2] + u * a[2][2] });
    const inverse = invert(a), atoms = [], centres = [];
    const add = (symbol, x, y, z) => atoms.push({ elem: symbol, x: x, y: y, z: z, serial: atoms.length, bonds: [], bondOrder: [] });
    cell.atoms.forEach((atom, index) => {
      const f = times([atom[1], atom[2], atom[3]], inverse);
      for (let i = -1; i <= n; i++) for (let j = -1; j <= n; j++) for (let k = -1; k <= n; k++) {
        const g = [f[0] + i, f[1] + j, f[2] + k];
        if (g.some((v) => v < -1e-3 || v > n + 1e-3)) continue;
        const p = at(g[0], g[1], g[2]);
        centres.push([index, p]); add(atom[0], p.x, p.y, p.z);
      }
    });
    const seen = new Set(atoms.map((p) => key(p.x, p.y, p.z)));
    const bonds = {};
    cell.bonds.forEach((bond) => (bonds[bond[0]] = bonds[bond[0]] || []).push(bond));
    const shown = byId("polyhedra").checked;
    const corners = {};
    cell.polyhedra.forEach((item) => { corners[item[0]] = item; });
    const sticks = viewer.addShape({ color: "#8c959f" });
    centres.forEach(([index, p]) => {
      const poly = corners[index];
      (bonds[index] || []).forEach((bond) => {
        const end = { x: p.x + bond[1], y: p.y + bond[2], z: p.z + bond[3] };
        const known = seen.has(key(end.x, end.y, end.z));
        if (known || poly) sticks.addCylinder({ start: p, end: end, radius: 0.07, fromCap: 1, toCap: 1 });
      });
      if (!poly || !shown) return;
      const corner = (v) => ({ x: p.x + poly[1][3 * v], y: p.y + poly[1][3 * v + 1], z: p.z + poly[1][3 * v + 2] });
      const vertices = [], normals = [];
      for (let t = 0; t < poly[2].length; t += 3) {
        const [q, r, s] = [corner(poly[2][t]), corner(poly[2][t + 1]), corner(poly[2][t + 2])];
        const u = [r.x - q.x, r.y - q.y, r.z - q.z], w = [s.x - q.x, s.y - q.y, s.z - q.z];
        const m = [u[1] * w[2] - u[2] * w[1], u[2] * w[0] - u[0] * w[2], u[0] * w[1] - u[1] * w[0]], size = Math.hypot(...m) || 1;
        vertices.push(q, r, s);
        for (let k = 0; k < 3; k++) normals.push({ x: m[0] / size, y: m[1] / size, z: m[2] / size });
      }
      viewer.addCustom({ vertexArr: vertices, normalArr: normals, faceArr: vertices.flatMap((_, k) => (k % 3 ? [] : [k, k + 1, k + 2, k, k + 2, k + 1])), color: elementColour(cell.atoms[index][0]), opacity: 0.55 });
    });
    centres.forEach(([index, p]) => {
      if (!corners[index]) return;
      (bonds[index] || []).forEach((bond) => {
        const end = [p.x + bond[1], p.y + bond[2], p.z + bond[3]];
        if (seen.has(key(...end))) return;
        seen.add(key(...end)); add(neighbourOf(cell, end, inverse), ...end);
      });
    });
    const model = viewer.addModel();
    model.addAtoms(atoms);
    viewer.setStyle({}, { sphere: { scale: 0.28, colorscheme: "Jmol" } });
    const edges = viewer.addShape({ color: css("--quiet") || "#57606a" });
    for (let i = 0; i <= 1; i++) for (let j = 0; j <= 1; j++) {
      [[at(0, i * n, j * n), at(n, i * n, j * n)], [at(i * n, 0, j * n), at(i * n, n, j * n)], [at(i * n, j * n, 0), at(i * n, j * n, n)]]
        .forEach(([start, end]) => edges.addCylinder({ start: start, end: end, radius: 0.03 }));
    }
    viewer.setBackgroundColor(css("--soft") || "#f6f8fa");
    viewer.zoomTo(); viewer.rotate(18, "y"); viewer.rotate(12, "x"); viewer.render();
    const legend = byId("legend"); legend.textContent = "";
    structure.elements.forEach((symbol) => {
      const swatch = make("span", "", legend); swatch.className = "swatch"; swatch.style.background = elementColour(symbol);
      make("span", symbol, legend);
    });
    make("span", "drag to rotate, scroll to zoom", legend).className = "quiet hint";
  }
  const key = (x, y, z) => [x, y, z].map((v) => Math.round(v * 20)).join(" ");
  const times = (v, m) => [0, 1, 2].map((k) => v[0] * m[0][k] + v[1] * m[1][k] + v[2] * m[2][k]);
  function invert(m) {
    const [[a, b, c], [d, e, f], [g, h, i]] = m;
    const det = a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g);
    return [[(e * i - f * h) / det, (c * h - b * i) / det, (b * f - c * e) / det], [(f * g - d * i) / det, (a * i - c * g) / det, (c * d - a * f) / det], [(d * h - e * g) / det, (b * g - a * h) / det, (a * e - b * d) / det]];
  }
  function neighbourOf(cell, end, inverse) {
    const f = times(end, inverse).map((v) => v - Math.floor(v + 1e-6));
    let best = cell.atoms[0][0], least = Infinity;
    cell.atoms.forEach((atom) => {
      const g = times([atom[1], atom[2], atom[3]], inverse);
      const d = f.map((v, k) => { const x = Math.abs(v - g[k]) % 1; return Math.min(x, 1 - x); });
      const size = d[0] * d[0] + d[1] * d[1] + d[2] * d[2];
      if (size < least) { least = size; best = atom[0]; }
    });
    return best;
  }
  function details(structure) {
    const box = byId("details"); box.textContent = "";
    make("h3", "Lattice (conventional cell)", box);
    make("p", structure.lattice.formula + ": a, b, c = " + structure.lattice.lengths + " Å; α, β, γ = " + structure.lattice.angles + "°; " + structure.lattice.volume + " Å³", box);
    make("h3", "Sites", box);
    const scroll = make("div", undefined, box); scroll.className = "scroll";
    const table = make("table", undefined, scroll), head = make("tr", undefined, make("thead", undefined, table));
    ["atom", "sites", "for example at", "CN", "neighbours", "distances (Å)"].forEach((name) => { make("th", name, head).scope = "col"; });
    const body = make("tbody", undefined, table);
    structure.sites.slice(0, 40).forEach((site) => {
      const line = make("tr", undefined, body);
      [site.element, site.count, site.place, site.number, site.neighbours].forEach((value) => make("td", String(value), line));
      make("td", site.distances, line).className = "message";
    });
    if (structure.sites.length > 40) make("p", "and " + (structure.sites.length - 40) + " more", box).className = "quiet";
    if (structure.pattern.length) { make("h3", "Powder pattern (Cu Kα, 2θ in °)", box); box.appendChild(pattern(structure)); }
    make("h3", "Origin", box);
    const list = make("ol", undefined, box); list.className = "tree";
    structure.tree.forEach((step) => {
      const text = "record " + step.record + ": " + step.source + (step.parents.length ? " of " + step.parents.join(" and ") : "");
      const item = make("li", text, list);
      if (step.detail) make("span", "  " + step.detail, item).className = "quiet";
    });
  }
  function pattern(structure) {
    const space = "http://www.w3.org/2000/svg", svg = document.createElementNS(space, "svg");
    svg.setAttribute("viewBox", "0 0 640 150"); svg.setAttribute("role", "img"); svg.setAttribute("width", "100%");
    svg.setAttribute("aria-label", "Powder pattern of " + structure.title);
    const x = (angle) => 10 + (angle - 5) / 85 * 620;
    const line = (x1, y1, x2, y2, colour) => { const l = document.createElementNS(space, "line"); Object.entries({ x1, y1, x2, y2, stroke: colour, "stroke-width": 1.5 }).forEach(([k, v]) => l.setAttribute(k, v)); svg.appendChild(l); return l; };
    line(10, 125, 630, 125, css("--quiet"));
    for (let angle = 10; angle <= 90; angle += 10) {
      line(x(angle), 125, x(angle), 130, css("--quiet"));
      const t = document.createElementNS(space, "text"); t.textContent = angle; t.setAttribute("x", x(angle)); t.setAttribute("y", 145); t.setAttribute("font-size", 12); t.setAttribute("text-anchor", "middle"); t.setAttribute("fill", css("--quiet")); svg.appendChild(t);
    }
    structure.pattern.filter((p) => p[0] >= 5).forEach((p) => {
      const l = line(x(p[0]), 125, x(p[0]), 125 - 1.15 * p[1], css("--mark"));
      const tip = document.createElementNS(space, "title"); tip.textContent = p[0].toFixed(2) + "°, " + p[1].toFixed(0); l.appendChild(tip);
    });
    return svg;
  }
  function choose(place) {
    if (place < 0 || place >= data.structures.length) return;
    chosen = place;
    const structure = data.structures[place];
    byId("structure").hidden = false;
    byId("structure-title").textContent = "rank " + structure.rank + ": " + structure.title + (structure.record === null ? "" : ", record " + structure.record);
    document.querySelectorAll("#ranking tbody tr").forEach((row) => row.classList.toggle("chosen", Number(row.dataset.place) === place));
    details(structure);
    if (!viewer) {
      try { viewer = $3Dmol.createViewer(byId("viewer"), { antialias: true, preserveDrawingBuffer: true }); }
      catch (error) { viewer = null; }
      if (!viewer) byId("viewer").textContent = "This browser cannot draw in three dimensions (WebGL is off).";
    }
    draw();
    remember();
  }
  ["cell", "repeat", "polyhedra"].forEach((name) => byId(name).addEventListener("change", draw));
  [["turn-left", -20], ["turn-right", 20]].forEach(([name, angle]) => byId(name).addEventListener("click", () => { if (viewer) { viewer.rotate(angle, "y"); viewer.render(); } }));
  byId("picture").addEventListener("click", () => {
    if (!viewer) return;
    const link = document.createElement("a");
    link.href = viewer.pngURI(); link.download = data.structures[chosen].name + ".png"; link.click();
  });

  // ---------------------------------------------------------------- the table
  const table = byId("ranking");
  if (table) {
    const body = table.tBodies[0];
    const value = (row, column) => { const text = row.cells[column].textContent.trim(); const number = Number(text.replace(/,/g, "")); return text !== "" && Number.isFinite(number) ? number : text; };
    const sort = (column, rising) => {
      const rows = [...body.rows];
      rows.sort((p, q) => {
        const a = value(p, column), b = value(q, column);
        if (a === "" || b === "") return (a === "") - (b === "");
        const order = typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b));
        return rising ? order : -order;
      });
      rows.forEach((row) => body.appendChild(row));
    };
    [...table.tHead.rows[0].cells].forEach((head, column) => {
      const button = head.querySelector("button");
      if (!button) return;
      button.addEventListener("click", () => {
        const rising = head.getAttribute("aria-sort") !== "ascending";
        [...table.tHead.rows[0].cells].forEach((other) => { if (other.hasAttribute("aria-sort")) other.setAttribute("aria-sort", "none"); });
        head.setAttribute("aria-sort", rising ? "ascending" : "descending");
        sort(column, rising);
      });
    });
    body.addEventListener("click", (event) => {
      const row = event.target.closest("tr");
      if (!row || event.target.closest("a")) return;
      choose(Number(row.dataset.place));
      byId("structure").scrollIntoView({ behavior: "smooth", block: "start" });
    });
    const filter = () => {
      const words = byId("filter").value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      [...body.rows].forEach((row) => {
        const text = row.textContent.toLowerCase();
        row.hidden = !words.every((word) => text.includes(word));
        shown += !row.hidden;
      });
      byId("shown").textContent = words.length ? shown + " of " + body.rows.length + " rows" : "";
      remember();
    };
    byId("filter").addEventListener("input", filter);
  }
  byId("copy").addEventListener("click", () => {
    const text = byId("works").textContent;
    if (navigator.clipboard) navigator.clipboard.writeText(text).catch(() => {});
    byId("copy").textContent = "copied";
  });

  // ---------------------------------------------------------------- the plot
  const canvas = byId("plot");
  let spots = [];
  function axisOf(point, place) {
    const axis = byId("axis").value;
    return axis === "place" ? place : axis === "core" ? point[3] : point[4];
  }
  function plot() {
    if (!data.points.length) return;
    byId("search").hidden = false;
    const ratio = window.devicePixelRatio || 1, width = canvas.clientWidth, height = canvas.clientHeight;
    canvas.width = width * ratio; canvas.height = height * ratio;
    const pen = canvas.getContext("2d"); pen.scale(ratio, ratio); pen.clearRect(0, 0, width, height);
    const lowest = Math.min(...data.points.map((p) => p[2]), ...data.lines.map((line) => line[1]));
    const sorted = data.points.map((p) => p[2]).sort((p, q) => p - q);
    const window_ = data.unit === "eV" ? 0.6 : Math.max(sorted[Math.floor(0.95 * (sorted.length - 1))] - lowest, 1e-6);
    const top = Math.min(lowest + window_, sorted[sorted.length - 1]) || lowest + 0.01;
    const room = Math.max(top - lowest, 1e-4);
    const xs = data.points.map((p, k) => axisOf(p, k));
    const isVolume = byId("axis").value === "volume";
    const inside = data.points.map((p) => p[2] <= top + 1e-9);
    const shown = isVolume ? xs.filter((_, k) => inside[k]) : xs;
    let low = isVolume ? Math.min(...shown) : 0, high = Math.max(...shown, low + 1e-6);
    if (isVolume) { const m = 0.05 * (high - low) + 0.1; low -= m; high += m; }
    const left = 62, right = 12, head = 12, foot = 40;
    const X = (v) => left + (v - low) / (high - low || 1) * (width - left - right);
    const Y = (v) => head + (top + 0.03 * room - Math.min(v, top)) / (1.1 * room) * (height - head - foot);
    pen.font = "12px system-ui, sans-serif"; pen.fillStyle = css("--quiet"); pen.strokeStyle = css("--line"); pen.lineWidth = 1;
    ticks(low, high, 6).forEach((v) => { pen.beginPath(); pen.moveTo(X(v), height - foot); pen.lineTo(X(v), height - foot + 4); pen.stroke(); pen.textAlign = "center"; pen.fillText(label(v), X(v), height - foot + 17); });
    ticks(lowest, top, 5).forEach((v) => { pen.beginPath(); pen.moveTo(left, Y(v)); pen.lineTo(width - right, Y(v)); pen.stroke(); pen.textAlign = "right"; pen.fillText(label(v), left - 6, Y(v) + 4); });
    pen.textAlign = "center";
    pen.fillText({ place: "structures", core: "processor time (s)", volume: "volume (Å³ per atom)" }[byId("axis").value], (left + width - right) / 2, height - 6);
    pen.save(); pen.translate(12, height / 2 - 10); pen.rotate(-Math.PI / 2); pen.fillText("enthalpy (" + data.unit + "/atom), " + data.tier, 0, 0); pen.restore();
    spots = [];
    data.points.forEach((p, k) => {
      if (isVolume && !inside[k]) return;
      const style = styleOf[p[1]], x = X(xs[k]), y = Y(p[2]);
      mark(pen, style.shape, x, y, 3.2, style.colour); spots.push([x, y, k]);
    });
    data.lines.forEach(([name, value]) => {
      if (value > top) return;
      pen.strokeStyle = css("--text"); pen.lineWidth = 1.4; pen.setLineDash([7, 4]);
      pen.beginPath(); pen.moveTo(left, Y(value)); pen.lineTo(width - right, Y(value)); pen.stroke(); pen.setLineDash([]);
      pen.fillStyle = css("--text"); pen.textAlign = "right"; pen.fillText(name + " " + value.toFixed(4), width - right - 4, Y(value) - 4);
    });
    if (!isVolume && data.best.length) {
      pen.strokeStyle = "#c2185b"; pen.lineWidth = 2; pen.beginPath();
      const scale = data.n_points > data.points.length ? data.points.length / data.n_points : 1;
      data.best.forEach((b, k) => { const x = X(byId("axis").value === "core" ? b[1] : b[0] * scale); if (k === 0) pen.moveTo(x, Y(b[2])); else { pen.lineTo(x, Y(data.best[k - 1][2])); pen.lineTo(x, Y(b[2])); } });
      pen.lineTo(X(high), Y(data.best[data.best.length - 1][2])); pen.stroke();
    }
    const caption = byId("plot-caption"); caption.textContent = "";
    sources.forEach((name) => {
      const mini = make("canvas", undefined, caption); mini.width = 14; mini.height = 14; mini.style.cssText = "width:14px;height:14px;border:0;display:inline-block;vertical-align:-2px;margin:0 3px 0 10px;background:none";
      mark(mini.getContext("2d"), styleOf[name].shape, 7, 7, 4, styleOf[name].colour); make("span", name, caption);
    });
    if (!isVolume) make("span", " · line: best so far", caption);
    data.lines.forEach(([name, value]) => make("span", " · dashed: " + name + ", " + value.toFixed(4) + " " + data.unit + "/atom" + (value > top ? " (above the plot)" : ""), caption));
    make("span", " · structures above the window lie at its upper edge" + (data.n_points > data.points.length ? "; " + data.points.length + " of " + data.n_points + " are drawn" : ""), caption);
    canvas.setAttribute("aria-label", "Enthalpy of " + data.n_points + " structures; the lowest is " + lowest.toFixed(4) + " " + data.unit + "/atom");
  }
  const label = (v) => String(Number(v.toPrecision(6)));
  function ticks(low, high, count) {
    const raw = (high - low) / count; if (!(raw > 0)) return [low];
    const power = Math.pow(10, Math.floor(Math.log10(raw))), step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= raw);
    const found = []; for (let v = Math.ceil(low / step) * step; v <= high + 1e-9 * step; v += step) found.push(Math.abs(v) < 1e-12 ? 0 : v);
    return found;
  }
  function mark(pen, shape, x, y, r, colour) {
    pen.fillStyle = colour; pen.strokeStyle = colour; pen.lineWidth = 1.4; pen.globalAlpha = 0.75; pen.beginPath();
    if (shape === "circle" || shape === "ring") pen.arc(x, y, r, 0, 2 * Math.PI);
    else if (shape === "square") pen.rect(x - r * 0.9, y - r * 0.9, 1.8 * r, 1.8 * r);
    else if (shape === "triangle") { pen.moveTo(x, y - r * 1.2); pen.lineTo(x + r * 1.1, y + r); pen.lineTo(x - r * 1.1, y + r); pen.closePath(); }
    else if (shape === "down") { pen.moveTo(x, y + r * 1.2); pen.lineTo(x + r * 1.1, y - r); pen.lineTo(x - r * 1.1, y - r); pen.closePath(); }
    else if (shape === "diamond") { pen.moveTo(x, y - 1.3 * r); pen.lineTo(x + 1.3 * r, y); pen.lineTo(x, y + 1.3 * r); pen.lineTo(x - 1.3 * r, y); pen.closePath(); }
    else if (shape === "cross") { pen.moveTo(x - r, y - r); pen.lineTo(x + r, y + r); pen.moveTo(x - r, y + r); pen.lineTo(x + r, y - r); }
    else { pen.moveTo(x - 1.2 * r, y); pen.lineTo(x + 1.2 * r, y); pen.moveTo(x, y - 1.2 * r); pen.lineTo(x, y + 1.2 * r); }
    if (shape === "cross" || shape === "plus" || shape === "ring") pen.stroke(); else pen.fill();
    pen.globalAlpha = 1;
  }
  function nearest(event) {
    const box = canvas.getBoundingClientRect(), x = event.clientX - box.left, y = event.clientY - box.top;
    let best = null, least = 120;
    spots.forEach(([px, py, k]) => { const d = (px - x) ** 2 + (py - y) ** 2; if (d < least) { least = d; best = k; } });
    return best;
  }
  canvas.addEventListener("mousemove", (event) => {
    const k = nearest(event);
    canvas.title = k === null ? "" : "record " + data.points[k][0] + ", " + data.points[k][1] + ", " + data.points[k][2].toFixed(4) + " " + data.unit + "/atom";
  });
  canvas.addEventListener("click", (event) => {
    const k = nearest(event); if (k === null) return;
    const place = data.structures.findIndex((s) => s.record === data.points[k][0]);
    if (place >= 0) choose(place);
  });
  byId("axis").addEventListener("change", plot);
  window.addEventListener("resize", () => { plot(); if (viewer) { viewer.resize(); viewer.render(); } });

  // ---------------------------------------------------------------- a running search
  const store = "nucleate:" + location.pathname;
  function remember() {
    if (!data.running) return;
    try { sessionStorage.setItem(store, JSON.stringify({ scroll: scrollY, record: chosen < 0 ? null : data.structures[chosen].record, filter: table ? byId("filter").value : "" })); } catch (error) { /* not allowed: nothing to keep */ }
  }
  let state = null;
  try { state = JSON.parse(sessionStorage.getItem(store)); } catch (error) { state = null; }
  const first = state ? data.structures.findIndex((s) => s.record === state.record) : 0;
  if (data.structures.length) choose(Math.max(first, 0));
  plot();
  if (state && table && state.filter) { byId("filter").value = state.filter; byId("filter").dispatchEvent(new Event("input")); }
  if (data.running) {
    if (state) scrollTo(0, state.scroll);
    let touched = 0;
    ["pointerdown", "keydown", "wheel"].forEach((name) => addEventListener(name, () => { touched = Date.now(); }, { passive: true }));
    setInterval(() => { if (Date.now() - touched > 8000 && !document.hidden) { remember(); location.reload(); } }, 1000 * data.refresh_s);
  }
})();
