"""What keepalived does with a configuration, and linkwatch-vrrp with its import, side by side.

Each has a world of its own: a network namespace with the interfaces and addresses that the file wants, and a root on top
of this machine's with the programs and users that it names. On the wire of both sits a peer that the test makes up. What
the kernel has and the wire carries is compared: alone, beaten by a better peer, and at the end.

`needs` is what a file wants, `world` builds it, `wire` reads and forges adverts, `kernel` reads addresses, routes, rules and
macvlans, `sides` runs the two, and `comparison` says what is different and whether the report of the import names it.
"""
