struct A { 1: i32 from, 2: i32 class }
service S { void import(1: i32 self) }
