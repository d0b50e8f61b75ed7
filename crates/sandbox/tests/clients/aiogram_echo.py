"""Checks that an unmodified aiogram bot polls and answers against a running sandbox.

    pip install aiogram
    cargo run -p sandbox --example serve &
    python aiogram_echo.py http://127.0.0.1:8081

Makes a bot and a person of its own, so it may run against a sandbox in use. Ends with status 0 when the
person got the echo, an edit, and an answer to a pressed button.
"""

import asyncio
import json
import sys
import urllib.request

from aiogram import Bot, Dispatcher, F
from aiogram.client.default import DefaultBotProperties
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer
from aiogram.exceptions import TelegramBadRequest, TelegramForbiddenError, TelegramRetryAfter
from aiogram.types import CallbackQuery, InlineKeyboardButton, InlineKeyboardMarkup, Message

BASE = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8081"


def control(method, path, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(
        f"{BASE}/control/{path}", data=data, method=method, headers={"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.load(answer)


async def ask(method, path, body=None):
    return await asyncio.to_thread(control, method, path, body)


async def until(bot, person, wanted):
    """Reads the chat until a message satisfies `wanted`; gives it."""
    async with asyncio.timeout(20):
        while True:
            chat = await ask("GET", f"chats/{bot}/{person}/messages")
            for message in chat["messages"]:
                if wanted(message):
                    return message
            await asyncio.sleep(0.05)


async def play(bot, info, person):
    """The person's side, and the refusals that aiogram must recognise."""
    say = {"bot": info["id"], "from": person["id"], "text": "ping <&> 😀"}
    await ask("POST", "messages", say)
    echo = await until(info["id"], person["id"], lambda m: m["text"] == "you said: ping <&> 😀, edited")
    assert echo["entities"][0]["type"] == "bold", echo
    press = {"bot": info["id"], "from": person["id"], "message_id": echo["message_id"], "data": "yes"}
    await ask("POST", "press", press)
    await until(info["id"], person["id"], lambda m: m["text"] == "pressed")

    try:
        await bot.send_message(1, "nobody")
        raise AssertionError("an unknown chat was accepted")
    except TelegramBadRequest as error:
        assert "chat not found" in error.message
    await ask("POST", "faults", {"kind": "429", "bot": info["id"], "method": "sendMessage", "retry_after": 3})
    try:
        await bot.send_message(person["id"], "too fast")
        raise AssertionError("a scripted 429 did not strike")
    except TelegramRetryAfter as error:
        assert error.retry_after == 3
    await ask("POST", "block", {"bot": info["id"], "person": person["id"], "blocked": True})
    try:
        await bot.send_message(person["id"], "hello?")
        raise AssertionError("a blocked bot could write")
    except TelegramForbiddenError:
        pass


async def main():
    info = await ask("POST", "bots", {"name": "Aiogram echo"})
    person = await ask("POST", "people", {"name": "Ann Lee"})
    session = AiohttpSession(api=TelegramAPIServer.from_base(BASE))
    bot = Bot(info["token"], session=session, default=DefaultBotProperties(parse_mode="HTML"))
    dispatcher = Dispatcher()

    @dispatcher.message(F.text)
    async def echo(message: Message):
        await bot.send_chat_action(message.chat.id, "typing")
        yes = InlineKeyboardButton(text="Yes", callback_data="yes")
        keyboard = InlineKeyboardMarkup(inline_keyboard=[[yes]])
        sent = await message.reply(f"<b>you</b> said: {message.html_text}", reply_markup=keyboard)
        await sent.edit_text(f"{sent.html_text}, edited", reply_markup=keyboard)

    @dispatcher.callback_query()
    async def pressed(query: CallbackQuery):
        await query.answer("Noted")
        await bot.send_message(query.from_user.id, "pressed")

    polling = asyncio.create_task(dispatcher.start_polling(bot, handle_signals=False))
    try:
        await play(bot, info, person)
    finally:
        await dispatcher.stop_polling()
        await polling
        await session.close()
    print("aiogram polled, echoed, edited, answered a button and recognised the refusals")


asyncio.run(main())
