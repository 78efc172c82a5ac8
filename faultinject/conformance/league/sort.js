"use strict";
// Every heading becomes a button that sorts its table; what has no value comes last either way.
for (const table of document.querySelectorAll("table.sortable")) {
    const body = table.tBodies[0];
    [...table.tHead.rows[0].cells].forEach((head, column) => {
        const label = head.querySelector(".label");
        const button = document.createElement("button");
        button.type = "button";
        button.textContent = label.textContent;
        label.replaceChildren(button);
        const value = row => row.cells[column].dataset.value;
        const compare = head.dataset.kind === "number" ? (a, b) => a - b : (a, b) => a < b ? -1 : a > b ? 1 : 0;
        button.addEventListener("click", () => {
            const falls = head.getAttribute("aria-sort") === "ascending";
            for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
            head.setAttribute("aria-sort", falls ? "descending" : "ascending");
            const rows = [...body.rows].sort((a, b) => {
                const [left, right] = [value(a), value(b)];
                if (left === undefined || right === undefined) return (left === undefined) - (right === undefined);
                return falls ? compare(right, left) : compare(left, right);
            });
            body.append(...rows);
        });
    });
}
