from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Null(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    NULL_UNSPECIFIED: _ClassVar[Null]
NULL_UNSPECIFIED: Null

class Value(_message.Message):
    __slots__ = ("null_value", "bool_value", "int_value", "big_int_value", "float_value", "text_value", "list_value", "tuple_value", "dict_value")
    NULL_VALUE_FIELD_NUMBER: _ClassVar[int]
    BOOL_VALUE_FIELD_NUMBER: _ClassVar[int]
    INT_VALUE_FIELD_NUMBER: _ClassVar[int]
    BIG_INT_VALUE_FIELD_NUMBER: _ClassVar[int]
    FLOAT_VALUE_FIELD_NUMBER: _ClassVar[int]
    TEXT_VALUE_FIELD_NUMBER: _ClassVar[int]
    LIST_VALUE_FIELD_NUMBER: _ClassVar[int]
    TUPLE_VALUE_FIELD_NUMBER: _ClassVar[int]
    DICT_VALUE_FIELD_NUMBER: _ClassVar[int]
    null_value: Null
    bool_value: bool
    int_value: int
    big_int_value: bytes
    float_value: float
    text_value: str
    list_value: Sequence
    tuple_value: Sequence
    dict_value: Mapping
    def __init__(self, null_value: _Optional[_Union[Null, str]] = ..., bool_value: bool = ..., int_value: _Optional[int] = ..., big_int_value: _Optional[bytes] = ..., float_value: _Optional[float] = ..., text_value: _Optional[str] = ..., list_value: _Optional[_Union[Sequence, _Mapping]] = ..., tuple_value: _Optional[_Union[Sequence, _Mapping]] = ..., dict_value: _Optional[_Union[Mapping, _Mapping]] = ...) -> None: ...

class Sequence(_message.Message):
    __slots__ = ("values", "ints", "floats", "texts")
    VALUES_FIELD_NUMBER: _ClassVar[int]
    INTS_FIELD_NUMBER: _ClassVar[int]
    FLOATS_FIELD_NUMBER: _ClassVar[int]
    TEXTS_FIELD_NUMBER: _ClassVar[int]
    values: _containers.RepeatedCompositeFieldContainer[Value]
    ints: _containers.RepeatedScalarFieldContainer[int]
    floats: _containers.RepeatedScalarFieldContainer[float]
    texts: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, values: _Optional[_Iterable[_Union[Value, _Mapping]]] = ..., ints: _Optional[_Iterable[int]] = ..., floats: _Optional[_Iterable[float]] = ..., texts: _Optional[_Iterable[str]] = ...) -> None: ...

class Mapping(_message.Message):
    __slots__ = ("keys", "values")
    KEYS_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    keys: _containers.RepeatedCompositeFieldContainer[Key]
    values: _containers.RepeatedCompositeFieldContainer[Value]
    def __init__(self, keys: _Optional[_Iterable[_Union[Key, _Mapping]]] = ..., values: _Optional[_Iterable[_Union[Value, _Mapping]]] = ...) -> None: ...

class Key(_message.Message):
    __slots__ = ("text", "int", "big_int")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    INT_FIELD_NUMBER: _ClassVar[int]
    BIG_INT_FIELD_NUMBER: _ClassVar[int]
    text: str
    int: int
    big_int: bytes
    def __init__(self, text: _Optional[str] = ..., int: _Optional[int] = ..., big_int: _Optional[bytes] = ...) -> None: ...

class Change(_message.Message):
    __slots__ = ("path", "set", "delete", "splice")
    PATH_FIELD_NUMBER: _ClassVar[int]
    SET_FIELD_NUMBER: _ClassVar[int]
    DELETE_FIELD_NUMBER: _ClassVar[int]
    SPLICE_FIELD_NUMBER: _ClassVar[int]
    path: _containers.RepeatedCompositeFieldContainer[Key]
    set: Value
    delete: Delete
    splice: Splice
    def __init__(self, path: _Optional[_Iterable[_Union[Key, _Mapping]]] = ..., set: _Optional[_Union[Value, _Mapping]] = ..., delete: _Optional[_Union[Delete, _Mapping]] = ..., splice: _Optional[_Union[Splice, _Mapping]] = ...) -> None: ...

class Delete(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Splice(_message.Message):
    __slots__ = ("index", "removed", "items")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    REMOVED_FIELD_NUMBER: _ClassVar[int]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    index: int
    removed: int
    items: Sequence
    def __init__(self, index: _Optional[int] = ..., removed: _Optional[int] = ..., items: _Optional[_Union[Sequence, _Mapping]] = ...) -> None: ...
