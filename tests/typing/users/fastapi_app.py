"""An app of FastAPI with the middleware."""

from __future__ import annotations

from fastapi import FastAPI

import faultinject
from faultinject import ASGIFaultMiddleware, Injector, Rule, Scenario

injector = Injector(
    Scenario([Rule("cos:SlowDown", probability=0.3, method=["PUT", "POST"]), "reset,path=photos/"], seed="a"),
    store="memory:",
)
app: FastAPI = faultinject.install(FastAPI(), injector=injector)
other = FastAPI()
other.add_middleware(ASGIFaultMiddleware, rules="http:503,times=2")
