// On a narrow screen every chart stands on a line of its own, as wide as the screen: Superset draws twelve columns on any screen, and each
// chart as wide as its share of them. To be removed with the rules at the end of dashboard.css when Superset has a mobile mode.
if (innerWidth < 790) {
  const stacked = (position) => {
    for (const row of Object.values(position).filter((node) => node.type === "ROW")) {
      const [first, ...others] = row.children;
      const parent = position[row.parents[row.parents.length - 1]];
      for (const child of [first, ...others]) position[child].meta.width = 12;
      const rows = others.map((child) => {
        const id = `${row.id}-${child}`;
        position[id] = { ...row, id, children: [child] };
        position[child].parents = [...row.parents, id];
        return id;
      });
      row.children = [first];
      parent.children.splice(parent.children.indexOf(row.id) + 1, 0, ...rows);
    }
    return position;
  };
  const ask = window.fetch;
  window.fetch = async (...asked) => {
    const answer = await ask(...asked);
    const address = new URL(asked[0].url || asked[0], location.href).pathname;
    if (!answer.ok || !/^\/api\/v1\/dashboard\/[a-z-]+$/.test(address)) return answer;
    const body = await answer.json();
    body.result.position_json = JSON.stringify(stacked(JSON.parse(body.result.position_json)));
    return new Response(JSON.stringify(body), { status: answer.status, headers: answer.headers });
  };
}
