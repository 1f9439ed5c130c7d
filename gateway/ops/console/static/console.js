// Keys, the state of the live stream, and charts. Everything here is an addition: without it pages
// renew themselves by reloading, and panels are tables.
(() => {
  "use strict";
  const one = (selector, root = document) => root.querySelector(selector);
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];

  // --- keys ---
  const GO = { n: "/", c: "/carriers", q: "/queues", t: "/tenants", k: "/campaigns", m: "/messages",
    o: "/optouts", u: "/consumers", y: "/policy", s: "/system", a: "/audit", p: "/panels", r: "/runbooks" };
  let going = 0;
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest("input, textarea, select");
    if (event.key === "Escape" && typing) typing.blur();
    if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
    const help = one("#help");
    if (Date.now() - going < 1500 && GO[event.key]) {
      location.assign(GO[event.key]);
    } else if (event.key === "g") {
      going = Date.now();
      return;
    } else if (event.key === "/") {
      const box = one("#search");
      if (box) { box.focus(); box.select(); } else location.assign("/messages");
    } else if (event.key === "?" && help) {
      if (help.open) help.close(); else help.showModal();
    } else return;
    going = 0;
    event.preventDefault();
  });
  document.addEventListener("click", (event) => {
    const help = one("#help");
    if (help && event.target.closest("[data-help]")) { event.preventDefault(); help.showModal(); }
  });

  // A form is sent once, however often the button is pressed.
  document.addEventListener("submit", (event) => {
    if (event.target.method !== "post") return;
    if (event.target.dataset.sent) event.preventDefault();
    event.target.dataset.sent = "1";
    const button = event.submitter;
    if (button) { button.setAttribute("aria-disabled", "true"); button.textContent = "Working…"; }
  });
  addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });

  // --- the live stream ---
  const state = one("#live-state");
  const tell = (look, text) => {
    if (!state || state.textContent === text) return;
    state.className = `tag ${look}`;
    state.textContent = text;
  };
  const banner = (text, link) => {
    const box = one("#banner");
    if (!box || box.dataset.text === text) return;
    box.dataset.text = text;
    box.textContent = "";
    if (!text) return;
    const note = document.createElement("p");
    note.className = "note warn";
    note.textContent = `${text} `;
    if (link) {
      const anchor = document.createElement("a");
      anchor.href = link;
      anchor.textContent = "Sign in again";
      note.append(anchor);
    }
    box.append(note);
  };
  const live = one("#live[data-live]");
  let heard = Date.now();
  if (live) {
    const well = () => { heard = Date.now(); tell("good", "live"); banner(""); };
    live.addEventListener("htmx:sse:after:message", (event) => {
      const name = event.detail.message.event;
      if (name !== "ended" && name !== "stale") well();
    });
    live.addEventListener("htmx:sse:after:connection", well);
    live.addEventListener("beat", well);
    live.addEventListener("stale", (event) => {
      tell("warn", "not live");
      banner(`What you see is of ${new Date(heard).toLocaleTimeString()}: ${event.detail.data}`);
    });
    live.addEventListener("ended", () => {
      tell("warn", "not live");
      banner("Your session has ended, and the page stands still.", `/login?next=${encodeURIComponent(location.pathname + location.search)}`);
    });
    const lost = () => {
      if (document.hidden) return;
      tell("warn", "not live");
      banner(`The gateway does not answer; trying again. What you see is of ${new Date(heard).toLocaleTimeString()}.`);
    };
    live.addEventListener("htmx:sse:error", lost);
    setInterval(() => { if (!document.hidden && Date.now() - heard > 8000) lost(); }, 2000);
    document.addEventListener("visibilitychange", () => { heard = Date.now(); });
  }

  // --- charts ---
  const panels = one("#panels[data-board]");
  if (!panels || typeof uPlot === "undefined") return;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const drawn = new Map();
  const DASHES = [[], [8, 4], [2, 3], [10, 3, 2, 3], [6, 6], [], [2, 6], [12, 4]];
  const SECONDS = [0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400, 43200, 86400, 172800, 864000];
  const css = (name, element) => getComputedStyle(element).getPropertyValue(name).trim();
  const short = (value, unit) => {
    if (value == null) return "";
    const a = Math.abs(value);
    const cut = (n) => String(+n.toPrecision(3));
    if (unit === "s") return a === 0 ? "0" : a < 1 ? `${cut(value * 1000)} ms` : a < 120 ? `${cut(value)} s` : a < 7200 ? `${cut(value / 60)} min` : `${cut(value / 3600)} h`;
    if (unit === "percentunit") return `${cut(value * 100)} %`;
    const base = unit === "bytes" ? "B" : unit === "ops" ? "/s" : "";
    for (const [size, name] of [[1e12, "T"], [1e9, "G"], [1e6, "M"], [1e3, "k"]]) {
      if (a >= size) return `${cut(value / size)} ${name}${base}`;
    }
    return cut(value) + (base === "B" ? " B" : base);
  };
  const draw = (figure, told) => {
    const box = one(".chart", figure);
    const unit = figure.dataset.unit;
    const shape = told.lines.map((line) => line.name).join("\n");
    let chart = drawn.get(figure);
    const data = [told.times, ...told.lines.map((line) => line.values)];
    if (chart && chart.shape === shape && chart.dark === dark.matches) {
      chart.plot.setData(data);
      return;
    }
    if (chart) chart.plot.destroy();
    if (!told.lines.length) { drawn.delete(figure); box.textContent = ""; return; }
    const probe = document.createElement("span");
    figure.append(probe);
    const series = told.lines.map((line, index) => {
      probe.className = `s${index % 8}`;
      return { label: line.name, stroke: css("--c", probe), width: 2, dash: DASHES[index % 8], points: { size: 4 }, spanGaps: false };
    });
    probe.remove();
    const axis = { stroke: css("--soft", figure), grid: { stroke: css("--line", figure), width: 1 }, ticks: { stroke: css("--line", figure), width: 1 }, font: "12px system-ui, sans-serif" };
    const marks = ["warn", "alarm"].filter((name) => figure.dataset[name]).map((name) => [name, +figure.dataset[name]]);
    const plot = new uPlot({
      width: box.clientWidth || figure.clientWidth - 30, height: 190,
      legend: { show: false }, cursor: { y: false },
      scales: { x: { time: true, range: (_, low, high) => [Math.min(low, high - 300), high] }, y: { range: (_, low, high) => {
        const top = high == null ? 1 : high;
        const bottom = low == null ? 0 : Math.min(0, low);
        return [bottom, top <= bottom ? bottom + 1 : top + (top - bottom) * 0.08];
      } } },
      axes: [{ ...axis, values: (_, ticks) => ticks.map((t) => new Date(t * 1000).toISOString().slice(11, 16)), space: 60, incrs: [60, 120, 300, 600, 900, 1800, 3600] },
        { ...axis, size: 66, ...(unit === "s" ? { incrs: SECONDS } : {}), values: (_, ticks) => ticks.map((t) => short(t, unit)) }],
      series: [{}, ...series],
      hooks: { draw: [(u) => {
        for (const [name, value] of marks) {
          const y = u.valToPos(value, "y", true);
          if (y < u.bbox.top || y > u.bbox.top + u.bbox.height) continue;
          const context = u.ctx;
          context.save();
          context.strokeStyle = context.fillStyle = css(name === "alarm" ? "--bad" : "--warn", figure);
          context.setLineDash([4, 4]);
          context.beginPath();
          context.moveTo(u.bbox.left, y);
          context.lineTo(u.bbox.left + u.bbox.width, y);
          context.stroke();
          context.restore();
        }
      }] },
    }, data, (() => { box.textContent = ""; return box; })());
    drawn.set(figure, { plot, shape, dark: dark.matches });
  };
  const values = (figure, told) => {
    const body = one("tbody", figure);
    const nothing = one(".none", figure);
    if (nothing) nothing.hidden = told.lines.length > 0;
    figure.classList.toggle("bare", !told.lines.length);
    if (!body) return;
    const rows = told.lines.map((line, index) => {
      const row = document.createElement("tr");
      const name = document.createElement("th");
      name.scope = "row";
      const swatch = document.createElement("span");
      swatch.className = `swatch s${index % 8}`;
      name.append(swatch, line.name);
      const value = document.createElement("td");
      value.textContent = line.last;
      row.append(name, value);
      return row;
    });
    body.replaceChildren(...rows);
    const more = one(".rest", figure);
    if (more) more.textContent = told.rest ? `and ${told.rest} more` : "";
  };
  const renew = async () => {
    if (document.hidden) return;
    const answer = await fetch(`/series${location.search ? location.search + "&" : "?"}board=${panels.dataset.board}${panels.dataset.of ? `&of=${encodeURIComponent(panels.dataset.of)}` : ""}`, { headers: { accept: "application/json" } }).catch(() => null);
    if (!answer || !answer.ok) return;
    const told = await answer.json();
    for (const figure of all("figure[data-panel]", panels)) {
      const panel = told[figure.dataset.panel];
      if (!panel) continue;
      values(figure, panel);
      if (figure.dataset.kind === "timeseries") draw(figure, panel);
    }
  };
  renew();
  setInterval(renew, 5000);
  document.addEventListener("visibilitychange", renew);
  dark.addEventListener("change", renew);
  new ResizeObserver(() => {
    for (const [figure, { plot }] of drawn) plot.setSize({ width: one(".chart", figure).clientWidth, height: 190 });
  }).observe(panels);
})();
