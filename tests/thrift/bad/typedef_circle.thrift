typedef B A
typedef A B
struct S { 1: A a }
