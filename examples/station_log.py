"""The spring log of an invented weather station, written from structured facts by a seeded generator.

Every number of a day is drawn first (`Day`), then put into words; incidents are facts written down here, so that
questions about them have answers that are known to be true. The same seed gives the same text.
"""

from __future__ import annotations

import datetime as dt
import random
from dataclasses import dataclass

FIRST = dt.date(2029, 3, 1)
DAYS = 92
KEEPERS = ("Signe Aldous", "Bo Harrowgate", "Ines Tallow", "Mattias Crewe")
RELIEF = (dt.date(2029, 5, 28), "Bo Harrowgate", "Yusuf Brandt")  # from that day, the second is relieved by the third
WINDS = ("north", "north-east", "east", "south-east", "south", "south-west", "west", "north-west")
FORCES = {2: "light breeze", 3: "gentle breeze", 4: "moderate breeze", 5: "fresh breeze", 6: "strong breeze",
          7: "near gale", 8: "gale", 9: "strong gale", 10: "storm"}  # fmt: skip

INCIDENTS: dict[tuple[int, int], str] = {
    (3, 2): "The supply boat Marigold brought coal, flour, two sacks of onions and a letter from Garrow.",
    (3, 4): "Ines Tallow found a crack in the glass of the sunshine recorder and mended it with clear resin.",
    (3, 7): "The trawler Hedda Krone lost her rudder off the reef and was towed to Port Senna by the tug Bulwark.",
    (3, 11): "Lightning struck the mast at 03:20; the wind vane was bent and the telephone was dead until the 13th.",
    (3, 15): "Mattias Crewe counted 214 grey seals on the skerries, the most since the station began to count.",
    (3, 19): "The Marigold came with paraffin and seed potatoes, and took Bo Harrowgate's sick dog Pilot to the vet.",
    (3, 23): "The spare barometer was compared with the main one and found to read 0.7 hectopascals too high.",
    (3, 27): "A foreign weather balloon came down in the kitchen garden; its label gave an address in Lisbon.",
    (3, 30): "The hens laid for the first time this year: four eggs, which were made into a cake for Signe Aldous.",
    (4, 2): "A container with rubber boots washed ashore; 61 boots were gathered, only nine of them pairs.",
    (4, 5): "The Marigold could not land because of the swell and turned back with the mail on board.",
    (4, 6): "The Marigold landed at the second attempt, with the mail, a new wind vane and Pilot in good health.",
    (4, 9): "Bo Harrowgate fixed the new wind vane to the mast; it took him three hours and a quarter.",
    (4, 13): "A yacht named Little Auk asked for shelter; her skipper, Rosalind Pike, stayed for two nights.",
    (4, 17): "A starling's nest was found in the rain gauge, and the readings of three days were marked as doubtful.",
    (4, 21): "Inspector Valdemar Quill came by helicopter, checked all instruments and praised the tidy log.",
    (4, 24): "The well ran brackish after the storm; for five days all drinking water was boiled.",
    (4, 28): "The Marigold brought 40 metres of copper wire, lamp glasses and a crate of oranges.",
    (5, 3): "Ines Tallow saw the first puffin of the year on the western ledge.",
    (5, 6): "The generator failed at noon because of a worn belt; Mattias Crewe cut a new one from a fire hose.",
    (5, 10): "A school class of 23 children from Velmouth visited and released a balloon with a thermometer.",
    (5, 12): "The Marigold came with diesel and the new belt, and carried away eleven bags of rubbish.",
    (5, 16): "A whale, thought to be a minke, swam round the island for two hours.",
    (5, 20): "Signe Aldous painted the door of the boathouse yellow, so that it can be seen in fog.",
    (5, 24): "The transmitter was moved to a new frequency, 4,610 kilohertz, by order of the institute.",
    (5, 27): "The Marigold brought the relief keeper, Yusuf Brandt; Bo Harrowgate left for six weeks of leave.",
    (5, 30): "The sea temperature reached 11.2 degrees, and Yusuf Brandt was the first to swim.",
}  # fmt: skip

OPENINGS = (
    "{keeper} had the watch.",
    "Watch kept by {keeper}.",
    "{keeper} took the readings.",
    "On duty: {keeper}.",
    "The readings are {keeper}'s.",
)
TEMPERATURES = (
    "The thermometer stood at {low} degrees at six in the morning and at {high} at two in the afternoon.",
    "From {low} degrees before sunrise it rose to {high} degrees.",
    "Lowest temperature {low} degrees, highest {high}.",
    "It was {low} degrees at dawn; by the early afternoon we had {high}.",
)
AIR = (
    "The wind blew from the {wind}, force {force} ({name}), and the barometer read {pressure} hectopascals.",
    "A {name} of force {force} from the {wind}; pressure {pressure} hectopascals.",
    "At noon the barometer showed {pressure} hectopascals, with wind from the {wind} at force {force}.",
    "Wind {wind}, force {force}; the pressure was {pressure} hectopascals at noon.",
)
RAIN = (
    "The gauge held {rain} millimetres of rain.",
    "Rain fell on and off, {rain} millimetres in all.",
    "We measured {rain} millimetres of rain.",
    "Showers left {rain} millimetres in the gauge.",
)
DRY = ("No rain fell.", "The gauge stayed dry.", "A day without rain.", "Not a drop in the gauge.")
SIGHT = (
    "Visibility was {sight} kilometres, and {ships} passed.",
    "We could see for {sight} kilometres; {ships} went by.",
    "{Ships} were logged in the channel, with {sight} kilometres of visibility.",
    "In the channel {ships} passed; visibility {sight} kilometres.",
)
QUIET = (
    "The afternoon went into cleaning the lamp room and oiling the hinges.",
    "Nets were mended in the boathouse, and the path to the landing was cleared of weed.",
    "The store was counted: nothing is short but candles.",
    "We dug over part of the kitchen garden and found the soil still heavy.",
    "The log of the past winter was copied out for the institute.",
    "Gulls quarrelled on the roof all day, otherwise there is nothing to tell.",
    "A quiet day, spent on the accounts and on splitting driftwood.",
    "Bread was baked, and the window frames on the weather side were scraped for painting.",
    "The anemometer was taken down, greased, and put back before the evening reading.",
    "We heard the bell buoy clearly, which mostly means a change in the weather.",
    "The ropes of the landing stage were turned end for end to spare the worn parts.",
    "Letters were written, to go with the next boat.",
)
NUMBERS = ("no ships", "one ship", "two ships", "three ships", "four ships", "five ships", "six ships", "seven ships")
INTRODUCTION = """SKERROW WEATHER STATION
LOG BOOK, SPRING 2029 (1 MARCH TO 31 MAY)

Skerrow is an island of nineteen hectares, 31 kilometres off Port Senna. The station belongs to the Institute of Marine
Weather in Garrow and has been manned without a break since 1887. Four keepers live here: Signe Aldous, who is the head
keeper, Bo Harrowgate, Ines Tallow and Mattias Crewe. Readings are taken at six, at noon, at two and at eight at night.
Supplies come with the boat Marigold from Port Senna when the swell allows her to land.
"""


@dataclass(frozen=True, slots=True)
class Day:
    """The facts of one day: degrees Celsius, Beaufort force, hectopascals, millimetres, kilometres."""

    date: dt.date
    keeper: str
    low: float
    high: float
    wind: str
    force: int
    pressure: int
    rain: float
    sight: int
    ships: int


def days(seed: int = 1887) -> list[Day]:
    """The facts of the whole spring; temperature rises with the season, wind and pressure drift around a mean."""
    rng = random.Random(seed)
    force, pressure, wind = 5, 1008, 6
    facts = []
    for number in range(DAYS):
        force = min(10, max(2, round(5 + 0.7 * (force - 5) + rng.gauss(0, 1.7))))
        pressure = round(1010 + 0.7 * (pressure - 1010) + rng.gauss(0, 6) - 2 * (force - 5))
        wind = (wind + rng.choice((-1, 0, 0, 1))) % len(WINDS)
        low = round(2.5 + number * 0.06 + rng.uniform(-1.5, 1.5), 1)
        facts.append(
            Day(
                date=FIRST + dt.timedelta(days=number),
                keeper=_keeper(number),
                low=low,
                high=round(low + rng.uniform(1.5, 5.5), 1),
                wind=WINDS[wind],
                force=force,
                pressure=pressure,
                rain=round(rng.uniform(0.4, 14.0), 1) if rng.random() < 0.45 else 0.0,
                sight=rng.choice((2, 4, 8, 12, 15, 20, 25, 30)),
                ships=rng.randint(0, 7),
            )
        )
    return facts


def entry(day: Day, rng: random.Random) -> str:
    """One day in words."""
    ships = NUMBERS[day.ships]
    sentences = [
        rng.choice(OPENINGS).format(keeper=day.keeper),
        rng.choice(TEMPERATURES).format(low=day.low, high=day.high),
        rng.choice(AIR).format(wind=day.wind, force=day.force, name=FORCES[day.force], pressure=day.pressure),
        rng.choice(RAIN).format(rain=day.rain) if day.rain else rng.choice(DRY),
        _plural(rng.choice(SIGHT), day.ships).format(sight=day.sight, ships=ships, Ships=ships.capitalize()),
        *rng.sample(QUIET, 1 if _incident(day) else 2),
    ]
    told = _incident(day)
    return " ".join([*sentences, told] if told else sentences)


def station_log(seed: int = 1887) -> str:
    """The whole log book, one paragraph a day."""
    rng = random.Random(seed + 1)
    pages = [f"{day.date:%A} {day.date.day} {day.date:%B}\n{entry(day, rng)}" for day in days(seed)]
    return "\n\n".join([INTRODUCTION.strip(), *pages]) + "\n"


def _keeper(number: int) -> str:
    since, away, relief = RELIEF
    keeper = KEEPERS[number % len(KEEPERS)]
    return relief if keeper == away and FIRST + dt.timedelta(days=number) >= since else keeper


def _incident(day: Day) -> str:
    return INCIDENTS.get((day.date.month, day.date.day), "")


def _plural(sentence: str, ships: int) -> str:
    return sentence.replace("were logged", "was logged") if ships == 1 else sentence
