"""What clients made by others make of a server: ``python python_clients.py CLIENT URL``.

It runs in an environment of its own. It prints an object of results by name; a call that failed
has an ``error``. Each client is imported only where it is asked for.
"""

# ruff: noqa: PLC0415 - one client is installed where another may not be

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

MODEL = "gpt-5.1"
ASKED = "call get_weather with city=Rome"

Result: TypeAlias = dict[str, Any]
Calls: TypeAlias = "dict[str, Callable[[], Coroutine[Any, Any, Result]]]"


def get_weather(city: str) -> str:
    """Tell the weather of a city."""
    return f"sunny in {city}"


def agents(url: str) -> Calls:
    """Return the calls of ``openai-agents``."""
    from agents import Agent, Runner, WebSearchTool, function_tool, set_tracing_disabled
    from agents.models.openai_responses import OpenAIResponsesModel
    from openai import AsyncOpenAI
    from pydantic import BaseModel

    class Mood(BaseModel):
        mood: str
        n: int

    set_tracing_disabled(True)
    model = OpenAIResponsesModel(MODEL, AsyncOpenAI(api_key="unused", base_url=url))
    plain = Agent(name="plain", model=model)

    async def text() -> Result:
        return {"text": (await Runner.run(plain, "hi there")).final_output}

    async def stream() -> Result:
        run = Runner.run_streamed(plain, "count to 4")
        kinds = [event.type async for event in run.stream_events()]
        return {"text": run.final_output, "raw": "raw_response_event" in kinds}

    async def tools() -> Result:
        agent = Agent(name="weather", model=model, tools=[function_tool(get_weather)])
        run = await Runner.run(agent, ASKED)
        return {"text": run.final_output, "turns": len(run.raw_responses)}

    async def handoff() -> Result:
        agent = Agent(name="first", model=model, handoffs=[plain])
        run = await Runner.run(agent, "transfer_to_plain now")
        return {"last": run.last_agent.name}

    async def parsed() -> Result:
        agent = Agent(name="mood", model=model, output_type=Mood)
        return dict((await Runner.run(agent, "mood=good, n=7")).final_output)

    async def search() -> Result:
        agent = Agent(name="search", model=model, tools=[WebSearchTool()])
        run = await Runner.run(agent, "web_search tomatoes")
        return {"kinds": [item.type for item in run.new_items]}

    return {f.__name__: f for f in (text, stream, tools, handoff, parsed, search)}


def pydantic_ai(url: str) -> Calls:
    """Return the calls of ``pydantic-ai``."""
    from pydantic import BaseModel
    from pydantic_ai import Agent
    from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
    from pydantic_ai.providers.openai import OpenAIProvider

    class Mood(BaseModel):
        mood: str
        n: int

    provider = OpenAIProvider(api_key="unused", base_url=url)
    model = OpenAIResponsesModel(MODEL, provider=provider)

    async def text() -> Result:
        run = await Agent(model).run("hi there")
        return {"text": run.output}

    async def stream() -> Result:
        async with Agent(model).run_stream("count to 4") as run:
            pieces = [piece async for piece in run.stream_text(delta=True, debounce_by=None)]
        return {"text": "".join(pieces), "pieces": len(pieces) > 1}

    async def tools() -> Result:
        run = await Agent(model, tools=[get_weather]).run(ASKED)
        return {"text": run.output}

    async def parsed() -> Result:
        run = await Agent(model, output_type=Mood).run("mood=good, n=7")
        return dict(run.output)

    async def chat() -> Result:
        agent = Agent(OpenAIChatModel(MODEL, provider=provider), tools=[get_weather])
        return {"text": (await agent.run(ASKED)).output}

    return {f.__name__: f for f in (text, stream, tools, parsed, chat)}


def langchain(url: str) -> Calls:
    """Return the calls of ``langchain-openai``."""
    from langchain_core.messages import HumanMessage, ToolMessage
    from langchain_core.tools import tool
    from langchain_openai import ChatOpenAI
    from pydantic import BaseModel

    class Mood(BaseModel):
        mood: str
        n: int

    model = ChatOpenAI(model=MODEL, api_key="unused", base_url=url, use_responses_api=True)
    weather = tool(get_weather)

    async def text() -> Result:
        return {"text": (await model.ainvoke("hi there")).text}

    async def stream() -> Result:
        pieces = [piece.text async for piece in model.astream("count to 4")]
        return {"text": "".join(pieces), "pieces": len(pieces) > 1}

    async def looped(offered: Any) -> Result:
        asked = HumanMessage(ASKED)
        first = await offered.ainvoke([asked])
        (call,) = first.tool_calls
        output = ToolMessage(get_weather(**call["args"]), tool_call_id=call["id"])
        return {"text": (await offered.ainvoke([asked, first, output])).text}

    async def tools() -> Result:
        return await looped(model.bind_tools([weather]))

    async def parsed() -> Result:
        return dict(await model.with_structured_output(Mood).ainvoke("mood=good, n=7"))

    async def search() -> Result:
        offered = model.bind_tools([{"type": "web_search"}])
        blocks = (await offered.ainvoke("web_search tomatoes")).content_blocks
        return {"kinds": [block["type"] for block in blocks]}

    async def chat() -> Result:
        chatting = ChatOpenAI(model=MODEL, api_key="unused", base_url=url, use_responses_api=False)
        return await looped(chatting.bind_tools([weather]))

    return {f.__name__: f for f in (text, stream, tools, parsed, search, chat)}


def litellm(url: str) -> Calls:
    """Return the calls of ``litellm``."""
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    import litellm as library

    common = {"model": f"openai/{MODEL}", "api_base": url, "api_key": "unused"}

    async def text() -> Result:
        made = await library.aresponses(input="hi there", **common)
        return {"text": made.output[0].content[0].text}

    async def stream() -> Result:
        events = await library.aresponses(input="count to 4", stream=True, **common)
        kinds, text = [], ""
        async for event in events:
            kinds.append(str(getattr(event.type, "value", event.type)))
            text += getattr(event, "delta", "") or ""
        return {"text": text, "last": kinds[-1]}

    async def chat() -> Result:
        messages = [{"role": "user", "content": "hi there"}]
        made = await library.acompletion(messages=messages, **common)
        return {"text": made.choices[0].message.content}

    async def chat_stream() -> Result:
        messages = [{"role": "user", "content": "count to 4"}]
        chunks = await library.acompletion(messages=messages, stream=True, **common)
        return {"text": "".join([c.choices[0].delta.content or "" async for c in chunks])}

    return {f.__name__: f for f in (text, stream, chat, chat_stream)}


async def run(calls: Calls) -> Result:
    """Return the result of each call."""
    results: Result = {}
    for name, call in calls.items():
        try:
            results[name] = await call()
        except Exception as exc:  # noqa: BLE001 - told to the test
            results[name] = {"error": f"{type(exc).__name__}: {exc}"}
    return results


if __name__ == "__main__":
    clients = {each.__name__: each for each in (agents, pydantic_ai, langchain, litellm)}
    print(json.dumps(asyncio.run(run(clients[sys.argv[1]](sys.argv[2])))))  # noqa: T201 - its result
