/** All that an interface may hold. */
namespace py every.gen
namespace * every
include "shared.thrift"

typedef i64 Id (purpose = "a number by which things are known")
typedef map<string, list<Id>> Index

/** Colors. */
enum Color { RED = 1, GREEN, BLUE = 0x10 } (kind = "enum")

const i32 ANSWER = 42
const string HELLO = "it's \"quoted\"\n\\ '''  \"\"\" "
const list<Color> WARM = [Color.RED]
const map<string, i32> NUMBERS = {"one": 1, 'two': 2;}
const double PI = 3.14159
const double BIG = -1e10
const bool YES = true
const binary RAW = "a\"b"
const uuid ID = "00112233-4455-6677-8899-aabbccddeeff"
const shared.Point ORIGIN = {"x": 0, "y": 0}
const Id ANOTHER = ANSWER
const set<set<i32>> SETS = [[1, 2], []]
const map<list<i32>, set<map<i32, i32>>> KEYS = {[1]: [{1: 2}, {}]}

/** One of each. */
struct Everything {
  /** yes or no */
  1: bool flag,
  2: i8 tiny = -1,
  3: i16 small,
  4: i32 number = ANSWER, // how many
  5: i64 large,
  6: double real = 1,
  7: string text = "default",
  8: binary raw,
  9: uuid id,
  10: Color color = Color.GREEN,
  11: list<i32> numbers = [1, 2, 3],
  12: set<string> words,
  13: map<string, i64> index = {},
  14: list<list<shared.Point>> grid,
  15: map<i32, map<string, set<i64>>> deep,
  16: shared.Point point = {"x": 3},
  17: optional Everything inner,
  18: set<shared.Point> points,
  19: map<shared.Point, string> named,
  20: Index whole,
  21: required string needed = "x",
  22: list<Color> colors,
  23: list<map<set<i32> (python.immutable = ""), map<i32, set<list<map<shared.Point, string>>>>>> nested
}

union Either { 1: i32 number, 2: string text, 3: shared.Point point }

/** Not there. */
exception Missing { 1: string what, 2: i32 code = 404 }
exception Worse { 1: list<string> reasons }

/** Gives everything back. */
service Every extends shared.Base {
  /** What came. */
  Everything echo(1: Everything thing) (dae.idempotent = "true"),
  bool echoBool(1: bool it)
  i8 echoByte(1: i8 it);
  i16 echoShort(1: i16 it)
  i32 echoInt(1: i32 it)
  i64 echoLong(1: i64 it)
  double echoDouble(1: double it)
  string echoText(1: string it)
  binary echoRaw(1: binary it)
  uuid echoUuid(1: uuid it)
  Color echoColor(1: Color it)
  Either echoEither(1: Either it)
  list<i32> echoList(1: list<i32> it)
  set<i32> echoSet(1: set<i32> it)
  map<i32, i32> echoMap(1: map<i32, i32> it)
  map<string, map<Color, shared.Point>> echoNested(1: map<string, map<Color, shared.Point>> it)
  list<map<string, shared.Point>> echoPoints(1: list<map<string, shared.Point>> it)
  void nothing()
  /** Raises what is asked for. */
  string raises(1: string which) throws (1: Missing missing, 2: Worse worse)
  void raisesNothing(1: string which) throws (1: Missing missing)
  i32 many(3: i32 c = 3, 1: i32 a, 2: i32 b)
  string kinds(1: i8 tiny, 2: i64 large, 3: map<i16, string> named, 4: Color color, 5: Id id)
  map<Id, map<Color, Everything>> things(1: Everything thing)
  oneway void note(1: string text)
  list<string> noted()
  string none()
  i32 wrong()
  string slow(1: i32 ms)
}
