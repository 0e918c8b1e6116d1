struct A { 1: i32 a, 1: string b, 2: i32 a }
struct A {}
service S { void f(), void f(1: i32 a, 1: i32 b) }
enum E { X, X }
