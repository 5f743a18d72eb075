"""What the merchant profile asks the floors above: composition fills the lists; answers come in the asker's transaction."""

from collections.abc import Awaitable, Callable

# May this merchant leave? An answer raises a Conflict that names what stands in the way.
may_leave: list[Callable[[int], Awaitable[None]]] = []
