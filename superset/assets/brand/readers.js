// What a drawing shows, for people to whom a page is read aloud: a canvas has no words of its own. Its numbers are in the chart's menu,
// under "View as table". To be removed when Superset names its charts itself.
(async () => {
  const page = location.pathname.match(/\/superset\/dashboard\/([a-z-]+)/);
  if (!page) return;
  const answer = await fetch(`/api/v1/dashboard/${page[1]}/charts`);
  if (!answer.ok) return;
  const described = new Map();
  for (const chart of (await answer.json()).result) {
    described.set(String(chart.id), `${chart.slice_name}. ${chart.description}`);
  }
  const name = () => {
    for (const holder of document.querySelectorAll("[data-test-chart-id]")) {
      // a table is read as it is; the signs in its head are no drawing
      if (holder.querySelector(".slice_container table")) continue;
      const drawing = holder.querySelector(".slice_container canvas, .slice_container svg");
      const text = described.get(holder.dataset.testChartId);
      if (drawing && text && drawing.getAttribute("aria-label") !== text) {
        drawing.setAttribute("role", "img");
        drawing.setAttribute("aria-label", text);
      }
    }
  };
  let waiting = 0;
  new MutationObserver(() => {
    waiting ||= setTimeout(() => {
      waiting = 0;
      name();
    }, 300);
  }).observe(document.body, { childList: true, subtree: true });
  name();
})();
