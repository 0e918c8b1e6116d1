include "self.thrift"
