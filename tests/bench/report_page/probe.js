// Run inside the report's page by check.py: what is wrong with it, as lines. Opens all tables on the way.
(() => {
  const wrong = [];
  const nonsense = /\bNaN\b|undefined|\[object|Infinity|\bnull\b/;
  const say = (words) => wrong.push(words);

  const fontPixels = Chart.defaults.font.size;

  function axisCheck(title, axis) {
    const { ctx } = axis;
    ctx.save();
    ctx.font = `${fontPixels}px ${Chart.defaults.font.family}`;
    const labels = axis.ticks
      .map((tick, i) => {
        const lines = [tick.label ?? ''].flat().map(String);
        const at = axis.getPixelForTick(i);
        const size = axis.isHorizontal()
          ? Math.max(...lines.map((line) => ctx.measureText(line).width))
          : lines.length * fontPixels * 1.15;
        return { words: lines.join(' '), from: at - size / 2, to: at + size / 2 };
      })
      .filter(({ words }) => words !== '')
      .sort((a, b) => a.from - b.from);
    ctx.restore();
    if (labels.length === 0) say(`${title}: axis ${axis.id} has no labels`);
    labels.forEach(({ words }) => {
      if (nonsense.test(words)) say(`${title}: axis ${axis.id} says "${words}"`);
    });
    for (let i = 1; i < labels.length; i += 1) {
      if (labels[i].from < labels[i - 1].to - 1)
        say(`${title}: axis ${axis.id}: "${labels[i - 1].words}" and "${labels[i].words}" overlap`);
    }
    if (!axis.options.title.display && axis.id === 'x') say(`${title}: axis x has no title`);
  }

  function canvasCheck(canvas) {
    const title = canvas.getAttribute('aria-label').slice(0, 60);
    const chart = Chart.getChart(canvas);
    if (!chart) return say(`${title}: not drawn`);
    if (chart.chartArea.width < 60 || chart.chartArea.height < 15)
      say(`${title}: the plot is only ${Math.round(chart.chartArea.width)} x ${Math.round(chart.chartArea.height)}`);
    const pixels = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
    if (!pixels.some((byte) => byte !== 0)) say(`${title}: is empty`);
    const points = chart.data.datasets
      .flatMap(({ data }) => data)
      .flatMap((point) => (point && typeof point === 'object' && !Array.isArray(point) ? [point.x, point.y] : point));
    if (points.some((value) => value !== null && !Number.isFinite(value))) say(`${title}: a point is no number`);
    Object.values(chart.scales).forEach((axis) => axisCheck(title, axis));
    if (!canvas.closest('figure').querySelector('details table tbody tr')) say(`${title}: no table with the same numbers`);
    return null;
  }

  if (document.documentElement.dataset.state !== 'drawn') say(`state of the page: ${document.documentElement.dataset.state}`);
  document.querySelectorAll('canvas').forEach(canvasCheck);
  document.querySelectorAll('details').forEach((one) => {
    one.open = true;
  });
  const said = document.body.innerText.split('\n').filter((line) => nonsense.test(line));
  said.forEach((line) => say(`the page says "${line.slice(0, 100)}"`));
  if (document.querySelector('main b, main img, head ~ b') || document.title === 'broken') say('a name became markup');
  if (document.documentElement.scrollWidth > window.innerWidth)
    say(`the page is ${document.documentElement.scrollWidth} wide in a window of ${window.innerWidth}`);
  return { wrong, plots: document.querySelectorAll('canvas').length, words: document.body.innerText };
})();
