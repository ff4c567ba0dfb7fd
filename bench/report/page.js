'use strict';
// Reads the documents and lays out the page. When all is drawn, data-state of the root element is "drawn"; after an error "failed".

function failureShow(words) {
  const root = document.documentElement;
  if (root.dataset.state === 'failed') return;
  root.dataset.state = 'failed';
  document.getElementById('head').append(element('p', { class: 'box failure' }, `This page could not be drawn in full: ${words}`));
}

window.addEventListener('error', (event) => failureShow(event.message));

// A chart of a folded or hidden part has no width; for paper all are drawn for the width of paper, in light colours.
function printing(on) {
  view.printing = on;
  if (on) document.documentElement.dataset.print = 'yes';
  else delete document.documentElement.dataset.print;
  plotsDraw();
}

function pageAdd() {
  const data = JSON.parse(document.getElementById('documents').textContent);
  const model = modelBuild(list(data));
  coloursAssign(model.servers);
  chartDefaults();
  themeRead();
  headAdd(model);
  if (model.rows.length === 0) throw new Error('the documents have no results');
  for (const add of [
    glanceAdd,
    resultsAdd,
    runTimeAdd,
    throughputAdd,
    latencyAdd,
    findMaxAdd,
    memoryAdd,
    connectionsAdd,
    handshakesAdd,
    attackAdd,
    systemCallsAdd,
    splitAdd,
    packetsAdd,
  ])
    add(model);
  contentsAdd();
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', plotsDraw);
  window.addEventListener('beforeprint', () => printing(true));
  window.addEventListener('afterprint', () => printing(false));
  document.documentElement.dataset.state = 'drawn';
}

pageAdd();
