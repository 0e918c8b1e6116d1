struct NotThrown { 1: i32 a }
exception Thrown { 1: i32 a }
service A extends B { oneway i32 f(), oneway void g() throws (1: Thrown t), void h() throws (1: NotThrown t) }
service B extends A {}
service C extends NotThrown {}
service D extends Nobody {}
const NotThrown X = {"b": 1}
struct S { 1: A service, 2: X constant }
