"""RpcStatus and its codes."""

from enum import IntEnum
from typing import Union

from aimrt_rpc._status_gen import TEXTS


class RpcStatusRetCode(IntEnum):
    """AimRT's status codes; compares with ``status.Code()`` and ``int``."""

    OK = 0
    UNKNOWN = 1
    TIMEOUT = 2
    SVR_UNKNOWN = 1000
    SVR_BACKEND_INTERNAL_ERROR = 1001
    SVR_NOT_IMPLEMENTED = 1002
    SVR_NOT_FOUND = 1003
    SVR_INVALID_SERIALIZATION_TYPE = 1004
    SVR_SERIALIZATION_FAILED = 1005
    SVR_INVALID_DESERIALIZATION_TYPE = 1006
    SVR_DESERIALIZATION_FAILED = 1007
    SVR_HANDLE_FAILED = 1008
    SVR_NOT_READY = 1009
    CLI_UNKNOWN = 2000
    CLI_FUNC_NOT_REGISTERED = 2001
    CLI_BACKEND_INTERNAL_ERROR = 2002
    CLI_INVALID_CONTEXT = 2003
    CLI_INVALID_ADDR = 2004
    CLI_INVALID_SERIALIZATION_TYPE = 2005
    CLI_SERIALIZATION_FAILED = 2006
    CLI_INVALID_DESERIALIZATION_TYPE = 2007
    CLI_DESERIALIZATION_FAILED = 2008
    CLI_NO_BACKEND_TO_HANDLE = 2009
    CLI_SEND_REQ_FAILED = 2010
    CLI_NOT_READY = 2011


class RpcStatus:
    """How a call ended: a code from 0 to 2**32-1, true when it is 0.

    Raises TypeError for a code that is not an integer of that range.
    """

    __slots__ = ("_code",)

    def __init__(self, code: Union[RpcStatusRetCode, int] = 0) -> None:
        if not isinstance(code, int) or not 0 <= code < 1 << 32:
            raise TypeError(f"RpcStatus code is {code!r}; expected RpcStatusRetCode or an int from 0 to 4294967295")
        self._code = int(code)

    def OK(self) -> bool:
        """Whether the call succeeded."""
        return self._code == 0

    def Code(self) -> int:
        """The code, see :class:`RpcStatusRetCode`."""
        return self._code

    def ToString(self) -> str:
        """``suc, code 0, msg: OK`` or ``fail, code 1002, msg: Server not implemented``."""
        code = self._code
        return f"{'fail' if code else 'suc'}, code {code}, msg: {_text(code)}"

    def __bool__(self) -> bool:
        return self._code == 0


def _text(code: int) -> str:
    return TEXTS.get(code, "Unknown code")
