include "circle.thrift"
