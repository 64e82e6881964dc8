"""How a call is made: prepared operations, limits, retries. Used by endpoints and the fronts."""
