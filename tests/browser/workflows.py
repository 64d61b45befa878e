"""Workflows that the tests watch. Each waits for a file or for ever, never for a guess of time."""

GREET = """
name: greet
description: Says hello to somebody.
input:
  type: object
  properties:
    who: { type: string, title: Whom to greet, default: Ada }
    times: { type: integer, title: How often, default: 2 }
    extras: { type: object, title: Anything else }
  required: [who]
nodes:
  - id: hello
    type: shell
    config:
      env: { WHO: "{{ input.who }}" }
      script: echo "hello $WHO"
  - { id: done, type: transform, needs: [hello], config: { output: "{{ input.who }} was greeted" } }
output: "{{ done.output }}"
"""

# Goes on when the file named in its input exists, so a test decides when it does.
GATED = """
name: gated
input:
  type: object
  properties: { gate: { type: string } }
  required: [gate]
nodes:
  - { id: begin, type: noop, config: {} }
  - id: gate
    type: shell
    needs: [begin]
    config:
      env: { GATE: "{{ input.gate }}" }
      script: |
        echo "waiting at the gate"
        while [ ! -e "$GATE" ]; do sleep 0.05; done
        echo "through the gate"
  - { id: end_of_it, type: noop, needs: [gate], config: {} }
"""

WAITS = """
name: waits
nodes:
  - { id: long_wait, type: delay, config: { duration: 24h } }
"""

FAILS = """
name: fails
nodes:
  - { id: boom, type: fail, config: { message: "it had to be", code: doomed } }
"""

QUICK = """
name: quick
nodes:
  - { id: only, type: noop, config: { output: 1 } }
"""

ALL = [GREET, GATED, WAITS, FAILS, QUICK]
