struct A { 1: i32 }
struct B { 1 i32 a }
servce C {}
struct D { 1: list<i32 a }
const i32 E 3
service F { void f( }
struct Fine { 1: i32 ok }
enum G { 1 }
