(() => {
  'use strict';
  const data = JSON.parse(document.getElementById('data').textContent);

  /* --- small tools: names come from users, so text becomes markup only through these --------------------- */
  const escapeHtml = text => String(text).replace(/[&<>"']/g, c => `&#${c.charCodeAt(0)};`);
  const color = name => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  const seconds = t => `${t.toFixed(Math.abs(t) < 1000 ? 2 : 0)} s`;
  function element(tag, attributes = {}, ...children) {
    const e = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (name.startsWith('on')) e.addEventListener(name.slice(2), value);
      else e.setAttribute(name, value);
    }
    e.append(...children);
    return e;
  }

  /* --- time: one axis for all charts ---------------------------------------------------------------------- */
  const ec2Lines = e => [e.droplets, e.held, e.queued, e.oldest_ms, e.offered, e.good, e.stale,
    ...[...e.errors, ...e.stages].map(named => named.line)];
  const inside = t => t > data.from && t < data.to;
  function timeline() {
    const times = new Set([data.from, data.to]);
    const add = changes => changes.forEach(([t]) => inside(t) && times.add(t));
    data.load.rows.forEach(([t]) => times.add(t));
    add(data.lost);
    if (data.dns) [data.dns.made, data.dns.in_force, ...data.dns.enactors.map(e => e.applied)].forEach(add);
    if (data.ec2) ec2Lines(data.ec2).forEach(add);
    for (const s of data.services) for (const z of s.zones) [z.in, z.held, z.healthy, z.well, z.of].forEach(add);
    return [...times].sort((a, b) => a - b);
  }
  const times = timeline();

  /* The value of a step function at each time: that of its last change, null before the first. */
  function held(changes) {
    let next = 0, value = null;
    return times.map(t => {
      while (next < changes.length && changes[next][0] <= t) value = changes[next++][1];
      return value;
    });
  }
  const rowsOf = columns => times.map((t, i) => [t, ...columns.map(c => c[i])]);

  /* --- what the scenario did: steps at one instant are one mark ------------------------------------------- */
  const isFault = action => /^fault (on|off) /.test(action);
  const marks = [];
  for (const e of data.events) {
    if (e.event !== 'step' || !(e.t >= data.from && e.t <= data.to)) continue;
    const last = marks[marks.length - 1];
    if (last && e.t - last.t < 0.1) last.actions.push(String(e.action));
    else marks.push({ t: e.t, actions: [String(e.action)] });
  }
  marks.forEach(m => { m.fault = m.actions.every(isFault); });

  const faults = new Map(); /* name -> [[on, off], ...] */
  for (const e of data.events) {
    if (e.event !== 'fault.on' && e.event !== 'fault.off') continue;
    const name = String(e.fault ?? e.name ?? 'fault');
    if (!faults.has(name)) faults.set(name, []);
    const spans = faults.get(name), open = spans.length && spans[spans.length - 1][1] === null;
    if (e.event === 'fault.on' && !open) spans.push([e.t, null]);
    if (e.event === 'fault.off' && open) spans[spans.length - 1][1] = e.t;
  }

  /* --- drawing below every chart: phases and steps -------------------------------------------------------- */
  function drawPhases(ctx, area, g) {
    data.phases.forEach((p, i) => {
      const from = Math.max(area.x, g.toDomXCoord(p.from)), to = Math.min(area.x + area.w, g.toDomXCoord(p.to));
      if (i % 2 || to <= from) return;
      ctx.fillStyle = color('band');
      ctx.fillRect(from, area.y, to - from, area.h);
    });
    ctx.setLineDash([2, 3]);
    for (const m of marks) {
      const x = Math.round(g.toDomXCoord(m.t)) + 0.5;
      if (x < area.x || x > area.x + area.w) continue;
      ctx.strokeStyle = color(m.fault ? 'fault' : 'step');
      ctx.beginPath();
      ctx.moveTo(x, area.y);
      ctx.lineTo(x, area.y + area.h);
      ctx.stroke();
    }
    ctx.setLineDash([]);
  }
  function drawHeads(ctx, area, g) {
    ctx.textBaseline = 'middle';
    ctx.textAlign = 'center';
    for (const p of data.phases) {
      const from = Math.max(area.x, g.toDomXCoord(p.from)), to = Math.min(area.x + area.w, g.toDomXCoord(p.to));
      ctx.font = '600 12px system-ui, sans-serif';
      ctx.fillStyle = color('soft');
      if (ctx.measureText(p.name).width < to - from - 6) ctx.fillText(p.name, (from + to) / 2, area.y + 9);
    }
    let free = -Infinity;
    marks.forEach((m, i) => {
      const x = g.toDomXCoord(m.t);
      if (x < area.x - 1 || x > area.x + area.w + 1 || x < free) return;
      free = x + 17;
      ctx.fillStyle = color(m.fault ? 'fault' : 'step');
      ctx.beginPath();
      ctx.arc(x, area.y + 27, 8, 0, 2 * Math.PI);
      ctx.fill();
      ctx.fillStyle = color('card');
      ctx.font = '600 11px system-ui, sans-serif';
      ctx.fillText(i + 1, x, area.y + 27.5);
    });
  }

  /* --- lanes: a zone in or out of DNS, a fault on --------------------------------------------------------- */
  const HEAD = 42, LANE = 26, FOOT = 8; /* dygraphs pushes a label at the very bottom up */
  const IN = 1, OUT = 0, HELD = 2;
  const stateName = { [IN]: 'in', [OUT]: 'out', [HELD]: 'held' };
  function hatch(ctx, x, y, w, h) {
    ctx.save();
    ctx.beginPath();
    ctx.rect(x, y, w, h);
    ctx.clip();
    ctx.strokeStyle = color('card');
    ctx.lineWidth = 2;
    ctx.beginPath();
    for (let i = x - h - (x % 7); i < x + w; i += 7) {
      ctx.moveTo(i, y + h);
      ctx.lineTo(i + h, y);
    }
    ctx.stroke();
    ctx.restore();
  }
  /* In is a full bar, out an empty one, so that the picture survives a grey printer. */
  function drawBar(ctx, area, g, from, to, y, state) {
    const x = Math.max(area.x, g.toDomXCoord(from)), w = Math.min(area.x + area.w, g.toDomXCoord(to)) - x;
    const h = LANE - 10;
    if (w <= 0) return;
    if (state === OUT) {
      ctx.fillStyle = color('out');
      ctx.fillRect(x, y - 2.5, w, 5);
      return;
    }
    ctx.fillStyle = color(state === HELD ? 'held' : state === 'fault' ? 'fault' : 'in');
    ctx.fillRect(x, y - h / 2, w, h);
    if (state === HELD) hatch(ctx, x, y - h / 2, w, h);
  }
  function drawStates(ctx, area, g, states, y) {
    for (let i = 0, from = 0; i < times.length; i++) {
      if (i + 1 < times.length && states[i + 1] === states[from]) continue;
      const to = times[Math.min(i + 1, times.length - 1)];
      if (states[from] !== null) drawBar(ctx, area, g, times[from], to, y, states[from]);
      from = i + 1;
    }
  }
  function drawHolds(ctx, area, g, holds, y) {
    ctx.fillStyle = color('held');
    for (const t of holds) {
      const x = g.toDomXCoord(t);
      if (x < area.x || x > area.x + area.w) continue;
      ctx.beginPath();
      ctx.moveTo(x, y - 3);
      ctx.lineTo(x - 5, y - LANE / 2);
      ctx.lineTo(x + 5, y - LANE / 2);
      ctx.fill();
    }
  }
  function lanesChart(service) {
    const states = service.zones.map(z => {
      const inAnswer = held(z.in), holding = held(z.held);
      return inAnswer.map((v, i) => (v === null ? null : v > 0 ? (holding[i] > 0 ? HELD : IN) : OUT));
    });
    const names = [...service.zones.map(z => z.zone), ...faults.keys()];
    const height = HEAD + LANE * names.length + FOOT, top = height / LANE;
    const center = (area, i) => area.y + HEAD + LANE * (i + 0.5);
    return {
      title: data.services.length > 1 ? `Zones in DNS: ${service.service}` : 'Zones in DNS',
      key: [['in', 'in the answer'], ['out', 'out', 'line'], ['held', 'removal held'], ...(faults.size ? [['fault', 'fault on']] : [])],
      height, lanes: names, labels: service.zones.map(z => z.zone), rows: rowsOf(states),
      format: v => stateName[v] ?? '–',
      options: { valueRange: [0, top], plotter: () => {}, highlightCircleSize: 0 },
      ticks: () => names.map((name, i) => ({ v: top - HEAD / LANE - i - 0.5, label: escapeHtml(name) })),
      draw(ctx, area, g) {
        drawHeads(ctx, area, g);
        states.forEach((s, i) => {
          drawStates(ctx, area, g, s, center(area, i));
          drawHolds(ctx, area, g, service.zones[i].holds, center(area, i));
        });
        [...faults.values()].forEach((spans, i) => spans.forEach(([on, off]) =>
          drawBar(ctx, area, g, on, off ?? data.to, center(area, states.length + i), 'fault')));
      },
    };
  }

  /* --- the other charts ----------------------------------------------------------------------------------- */
  const whole = v => (v === null ? '–' : String(Math.round(v * 100) / 100));
  const percent = v => (v === null ? '–' : `${(100 * v).toFixed(v < 0.1 ? 2 : 1)} %`);
  const most = (columns, least) => columns.flat().reduce((a, v) => Math.max(a, v ?? 0), least);

  function healthChart(zone, first) {
    const well = held(zone.well), healthy = held(zone.healthy), top = most([held(zone.of), well, healthy], 1);
    return {
      title: first ? 'Targets: truth and belief' : '',
      key: first ? [['truth', 'well (truth)'], ['belief', 'healthy (what the checker believes)', 'line']] : [],
      height: 64, labels: ['well', 'healthy'], rows: rowsOf([well, healthy]), format: whole, prefix: zone.zone,
      colors: ['truth', 'belief'],
      options: {
        valueRange: [0, top * 1.12],
        series: { well: { fillGraph: true, strokeWidth: 0, fillAlpha: 0.75 }, healthy: { strokeWidth: 2 } },
      },
      ticks: () => [{ v: 0, label: '0' }, { v: top / 2, label: escapeHtml(zone.zone) }, { v: top, label: String(top) }],
    };
  }
  function areaChart(title, name, colorName, column, format, least) {
    return {
      title, key: [], height: 96, labels: [name], rows: rowsOf([column]), format, colors: [colorName],
      options: { valueRange: [0, most([column], least) * 1.1], fillGraph: true, fillAlpha: 0.25, strokeWidth: 1.5 },
    };
  }
  /* Plan numbers as steps: one that goes down is a stale write. */
  function plansChart() {
    const lines = [['newest made', data.dns.made], ['in force', data.dns.in_force],
      ...data.dns.enactors.map(e => [e.zone, e.applied])];
    const columns = lines.map(([, changes]) => held(changes)), names = lines.map(([name]) => name);
    const colors = names.map((_, i) => ['lost', 'error', 'load', 'truth', 'belief', 'held', 'step'][i % 7]);
    return {
      title: 'Plans: made, in force, applied by each enactor', key: names.map((name, i) => [colors[i], name, 'line']),
      height: 150, labels: names, rows: rowsOf(columns), format: whole, colors,
      options: { valueRange: [0, most(columns, 1) * 1.05], strokeWidth: 1.5, series: { 'in force': { strokeWidth: 3 } } },
    };
  }
  /* --- EC2: charts of their own section ------------------------------------------------------------------- */
  const PALETTE = ['belief', 'error', 'held', 'fault', 'in', 'load', 'truth', 'step'];
  /* Lines over one another: [[name, changes, colour], ...]. */
  function linesChart(title, lines, format, height, options = {}) {
    const columns = lines.map(([, changes]) => held(changes));
    return {
      title, key: lines.map(([name, , colorName]) => [colorName, name, 'line']), height,
      labels: lines.map(([name]) => name), rows: rowsOf(columns), format, colors: lines.map(l => l[2]),
      options: { valueRange: [0, most(columns, 1) * 1.08], strokeWidth: 1.5, ...options },
    };
  }
  const named = list => list.map(({ name, line }, i) => [name, line, PALETTE[i % PALETTE.length]]);
  const perSecond = v => (v === null ? '–' : `${whole(v)}/s`);
  const milliseconds = v => (v === null ? '–' : v < 1000 ? `${Math.round(v)} ms` : `${Math.round(v / 10) / 100} s`);

  /* The first of the section: it also names the phases and numbers the steps. */
  function leasesChart(e) {
    const height = 150, top = most([held(e.droplets)], 1) * 1.05;
    const chart = linesChart('Leases held', [['droplets', e.droplets, 'load'], ['leases held', e.held, 'belief']], whole, height, {
      valueRange: [0, top * height / (height - HEAD)],
      series: { 'leases held': { fillGraph: true, fillAlpha: 0.25, strokeWidth: 2 } },
    });
    return { ...chart, ticks: () => [0, 0.5, 1].map(part => ({ v: part * top / 1.05, label: whole(part * top / 1.05) })), draw: drawHeads };
  }
  function oldestChart(e) {
    const lines = [['oldest', e.oldest_ms, 'error']];
    if (e.timeout_ms !== null) lines.push(['time-out: past it work is thrown away', [[data.from, e.timeout_ms]], 'step']);
    return linesChart('Age of the oldest piece of work that waits', lines, milliseconds, 96);
  }
  function ec2Charts() {
    const e = data.ec2, list = [leasesChart(e)];
    list.push(linesChart('Work that waits', [['pieces', e.queued, 'lost']], whole, 96, { fillGraph: true, fillAlpha: 0.25 }));
    list.push(oldestChart(e));
    list.push(linesChart('Work: offered, good, done too late', [['offered', e.offered, 'load'], ['stale', e.stale, 'error'], ['good', e.good, 'in']],
      perSecond, 130, { series: { good: { strokeWidth: 2.5, fillGraph: true, fillAlpha: 0.25 } } }));
    if (e.errors.length) list.push(linesChart('EC2 API: errors by code', named(e.errors), perSecond, 96));
    if (e.stages.some(s => s.line.some(([, v]) => v !== null))) {
      list.push(linesChart('Launches: median time in each stage', named(e.stages), milliseconds, 96, { drawPoints: true, pointSize: 2 }));
    }
    return list.map(chart => ({ ...chart, home: ec2Home }));
  }
  function charts() {
    const list = [];
    if (data.dns) list.push(plansChart());
    for (const s of data.services) {
      list.push(lanesChart(s));
      s.zones.forEach((z, i) => list.push(healthChart(z, i === 0)));
    }
    const load = data.load.rows;
    if (load.some(row => row[1] > 0)) {
      list.push(areaChart('Error rate', 'errors', 'error', held(load.map(r => [r[0], r[2]])), percent, 0.01));
      list.push(areaChart('Requests per second', 'requests/s', 'load', held(load.map(r => [r[0], r[1]])), whole, 1));
    }
    if (data.lost.length) list.push(areaChart('Capacity lost: well targets that get no traffic', 'targets', 'lost', held(data.lost), whole, 1));
    if (data.ec2) list.push(...ec2Charts());
    return list;
  }

  function keyOf(entries) {
    const key = element('span', { class: 'key' });
    for (const [name, text, shape] of entries) {
      const swatch = element('i', { class: shape ?? '' });
      swatch.style[shape === 'line' ? 'borderTopColor' : 'background'] = `var(--${name})`;
      key.append(element('span', {}, swatch, text), ' ');
    }
    return key;
  }
  function legendFormatter(chart) {
    return legend => {
      if (legend.x === undefined) return '';
      const values = legend.series.map((s, i) => `${escapeHtml(chart.labels[i])} <b>${escapeHtml(chart.format(s.y ?? null))}</b>`);
      return `${chart.prefix ? `${escapeHtml(chart.prefix)} · ` : ''}${seconds(legend.x)} · ${values.join(' · ')}`;
    };
  }
  /* A finger scrolls the page; zooming is for those who have a mouse. */
  function interaction() {
    const model = { ...Dygraph.defaultInteractionModel };
    for (const name of Object.keys(model)) if (name.startsWith('touch')) delete model[name];
    return model;
  }

  function build(chart, panel, isLast, labelWidth) {
    const readout = element('div', { class: 'readout' }), div = element('div', { class: 'chart' });
    div.style.height = `${chart.height + (isLast ? 22 : 0)}px`;
    if (chart.title) panel.append(element('h3', {}, chart.title), keyOf(chart.key));
    panel.append(div, readout);
    const y = { axisLabelWidth: labelWidth, drawGrid: !chart.lanes, axisLabelFormatter: v => chart.format(v) };
    if (chart.ticks) y.ticker = chart.ticks;
    return new Dygraph(div, chart.rows, {
      labels: ['t', ...chart.labels], colors: (chart.colors ?? chart.labels.map(() => 'in')).map(color),
      stepPlot: true, connectSeparatedPoints: false, rightGap: 10, xRangePad: 0, legend: 'always', labelsDiv: readout,
      legendFormatter: legendFormatter(chart), gridLineColor: color('line'), axisLineColor: color('line'),
      dateWindow: [data.from, data.to], interactionModel: interaction(), highlightCircleSize: 3,
      axes: { x: { drawAxis: isLast, drawGrid: false, axisLabelFormatter: v => `${v} s`, pixelsPerLabel: 70 }, y },
      underlayCallback(ctx, area, g) {
        drawPhases(ctx, area, g);
        if (chart.draw) chart.draw(ctx, area, g);
      },
      ...chart.options,
    });
  }

  function stepList() {
    const list = element('ol', { class: 'steps' });
    marks.forEach((m, i) => list.append(element('li', { class: m.fault ? 'fault' : '' },
      element('b', {}, String(i + 1)), element('time', {}, seconds(m.t)), element('span', {}, m.actions.join(' · ')))));
    return list;
  }

  let graphs = [], sync = null;
  const section = document.getElementById('charts'), ec2Home = document.querySelector('#ec2 .charts');
  function drawAll() {
    if (sync) sync.detach();
    graphs.forEach(g => g.destroy());
    document.querySelectorAll('.panel, #charts .tools').forEach(p => p.remove());
    const list = charts(), labelWidth = section.clientWidth < 600 ? 62 : 88;
    section.append(element('p', { class: 'tools' }, 'Drag over a stretch of time to look closer.',
      element('button', { type: 'button', onclick: () => graphs.forEach(g => g.updateOptions({ dateWindow: [data.from, data.to] })) }, 'Whole run')));
    graphs = list.map((chart, i) => {
      const panel = element('div', { class: 'panel' });
      if (!chart.title) panel.classList.add('joined');
      (chart.home ?? section).append(panel);
      const isLast = i === list.length - 1 || list[i + 1].home !== chart.home;
      const graph = build(chart, panel, isLast, labelWidth);
      if (chart.lanes && marks.length) panel.append(stepList());
      return graph;
    });
    sync = graphs.length > 1 ? Dygraph.synchronize(graphs, { range: false }) : null;
  }

  /* --- events ---------------------------------------------------------------------------------------------- */
  const BASE = new Set(['t', 'id', 'cause', 'node', 'zone', 'event', 'story']);
  const PAGE = 200;
  const byId = new Map(data.events.map(e => [e.id, e]));
  const effects = new Map();
  for (const e of data.events) {
    if (e.cause !== '0') effects.set(e.cause, [...(effects.get(e.cause) ?? []), e]);
  }
  const valueText = v => (v !== null && typeof v === 'object' ? JSON.stringify(v) : String(v));
  const details = e => (e.event.startsWith('expect.') && e.text ? e.text : e.event === 'step' && e.action ? e.action
    : Object.keys(e).filter(k => !BASE.has(k)).map(k => `${k} ${valueText(e[k])}`).join(', '));
  const about = e => (e.zone && !String(e.node).startsWith(e.zone) ? `${e.zone} (${e.node})` : e.node);
  function kind(e) {
    const fixed = { 'zone.removed': 'removed', 'zone.restored': 'restored', 'zone.held': 'holding', step: 'step',
      'fault.on': 'fault', 'fault.off': 'fault', 'target.healthy': 'good', 'target.unhealthy': 'bad',
      'expect.pass': 'good', 'expect.fail': 'bad', 'node.exited': 'bad', 'failopen.on': 'bad', 'failopen.off': 'good' };
    return fixed[e.event] ?? '';
  }
  /* From the first cause that is known down to the event itself. */
  function chainOf(e) {
    const chain = [e], seen = new Set([e.id]);
    while (chain[0].cause !== '0') {
      const cause = byId.get(chain[0].cause);
      if (!cause || seen.has(cause.id)) break;
      seen.add(cause.id);
      chain.unshift(cause);
    }
    return chain;
  }
  const line = e => [element('time', {}, seconds(e.t)), `${e.event} ${about(e)} ${details(e)}`];
  function chainRow(e) {
    const chain = chainOf(e), led = effects.get(e.id) ?? [];
    const cell = element('td', { colspan: '5' }, element('ol', {}, ...chain.map(c => element('li', {}, ...line(c)))));
    if (chain[0].cause !== '0') cell.prepend(element('p', {}, `Began with event ${chain[0].cause}, which is not on this page.`));
    if (led.length) {
      cell.append(element('p', {}, `It led to ${led.length === 1 ? 'one event' : `${led.length} events`}:`),
        element('ol', {}, ...led.slice(0, 20).map(c => element('li', {}, ...line(c)))));
    }
    return element('tr', { class: 'chain' }, cell);
  }
  function toggle(button, row, e) {
    const open = button.getAttribute('aria-expanded') === 'true';
    button.setAttribute('aria-expanded', String(!open));
    if (open) row.nextSibling.remove();
    else row.after(chainRow(e));
  }
  function eventRow(e) {
    const why = element('td', { class: 'why' });
    const row = element('tr', { class: kind(e) }, element('td', { class: 't' }, seconds(e.t)),
      element('td', { class: 'name' }, e.event), element('td', { class: 'about' }, about(e)), element('td', {}, details(e)), why);
    if (e.cause !== '0' || effects.has(e.id)) {
      const button = element('button', { type: 'button', 'aria-expanded': 'false', onclick: () => toggle(button, row, e) },
        e.cause !== '0' ? 'why' : 'effect');
      why.append(button);
    }
    return row;
  }
  function eventTable() {
    const home = document.getElementById('events');
    const search = element('input', { type: 'search', placeholder: 'Search events', 'aria-label': 'Search events' });
    const all = element('input', { type: 'checkbox' }), count = element('span'), body = element('tbody');
    const more = element('button', { type: 'button', onclick: () => show(shown + PAGE) }, 'Show more');
    let found = [], shown = 0;
    function show(n) {
      shown = Math.min(n, found.length);
      body.replaceChildren(...found.slice(0, shown).map(eventRow));
      more.hidden = shown === found.length;
      count.textContent = `${shown} of ${found.length}${data.omitted ? `; ${data.omitted} more are in events.jsonl only` : ''}`;
    }
    function find() {
      const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
      const text = e => `${e.event} ${e.node} ${e.zone} ${details(e)}`.toLowerCase();
      found = data.events.filter(e => (all.checked || e.story) && words.every(w => text(e).includes(w)));
      show(PAGE);
    }
    search.addEventListener('input', find);
    all.addEventListener('change', find);
    const heads = [['t', 'time'], ['name', 'event'], ['about', 'of'], ['', 'details'], ['why', 'cause']];
    home.append(element('div', { class: 'tools' }, search, element('label', {}, all, ' every event'), count),
      element('table', {}, element('thead', {}, element('tr', {}, ...heads.map(([c, text]) => element('th', { class: c }, text)))), body), more);
    find();
  }

  /* --- life ------------------------------------------------------------------------------------------------ */
  eventTable();
  if (!window.Dygraph) return;
  drawAll();
  let width = section.clientWidth;
  window.addEventListener('resize', () => {
    if (section.clientWidth === width) return;
    width = section.clientWidth;
    drawAll();
  });
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', drawAll);
  window.addEventListener('beforeprint', () => {
    document.documentElement.dataset.print = '';
    document.body.style.width = '680px'; /* A4 and Letter, upright */
    drawAll();
  });
  window.addEventListener('afterprint', () => {
    delete document.documentElement.dataset.print;
    document.body.style.width = '';
    drawAll();
  });
})();
