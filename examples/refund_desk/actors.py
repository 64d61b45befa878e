"""The Refund Desk of ../templates/refund_desk.yaml, with a program in every role.

    windlass dev &
    python actors.py            # imports the template, adds a request, and serves it to its end
"""

from __future__ import annotations

import sys
import threading
from pathlib import Path

from windlass import Client, Fail, Submit, Unit, Worker

TEMPLATE = Path(__file__).parent.parent / "templates" / "refund_desk.yaml"


def actors(instance: str, worker: Worker) -> Worker:
    """Puts somebody in every role of an instance."""

    @worker.role("Splitter", instance=instance)
    def split(unit: Unit) -> Submit:
        """A return is split into its lines, which go their own ways."""
        lines = [{"total": line["total"], "sku": line["sku"]} for line in unit.attributes["lines"]]
        return Submit(attributes={}, reasoning=f"{len(lines)} lines", children=lines)

    @worker.role("Payer", instance=instance)
    def pay(unit: Unit) -> dict[str, object]:
        """Small lines are paid at once, unless there is no account to pay to."""
        if "iban" not in unit.attributes:
            raise Fail("no_account", "there is no account to pay to")
        return {"paid": unit.attributes["total"], "paid_to": unit.attributes["iban"]}

    @worker.role("Clerk", instance=instance)
    def look(unit: Unit) -> Submit:
        """Big lines are looked at."""
        attributes = {"paid": unit.attributes["total"], "seen_by": "clerk"}
        return Submit(attributes=attributes, reasoning="the receipt is there")

    @worker.role("Medic", instance=instance)
    def mend(unit: Unit) -> Submit:
        """Whatever went wrong ends here: by hand."""
        return Submit(attributes={"paid": 0, "voucher": True}, reasoning="a voucher instead")

    @worker.role("Clock", instance=instance)
    def wind_up(unit: Unit) -> Submit:
        """What was left lying is handed to who mends."""
        return Submit(attributes={"late": True}, reasoning="nobody has come back to it")

    @worker.role("Closer", instance=instance)
    def close(unit: Unit) -> Submit:
        """The set is whole: what was paid is added up."""
        paid = sum(child.attributes.get("paid", 0) for child in unit.children)
        return Submit(attributes={"refunded": paid}, reasoning="all lines are settled")

    return worker


def main() -> None:
    with Client() as client:
        client.import_template(TEMPLATE)
        instance = client.instantiate("Refund_Desk")
        worker = actors(instance.id, Worker(client, name="desk", concurrency=4))
        thread = threading.Thread(target=worker.run)
        thread.start()
        request = {
            "total": 270,
            "flagged": False,
            "iban": "DE02 1203 0000 0000 2020 51",
            "lines": [{"sku": "lamp", "total": 250}, {"sku": "bulb", "total": 20}],
        }
        unit = client.add_unit(instance.id, request, reasoning="from the shop")
        try:
            output = client.run(unit.id).result(timeout=60)
            print(f"refunded {output['refunded']}, of {len(output['_children'])} lines")
        finally:
            worker.stop()
            thread.join()


if __name__ == "__main__":
    sys.exit(main())
