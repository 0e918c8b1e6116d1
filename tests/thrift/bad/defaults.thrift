enum Color { RED = 1 }
struct D { 1: i32 a = "x", 2: string b = 1, 3: i8 c = 300, 4: Color d = Color.BLUE, 5: bool e = 2, 6: list<i32> f = ["a"], 7: i32 g = NOPE, 8: map<string, i32> h = {1: 2} }
const i32 LOOP = LOOP
