"""What the graph of an exported SavedModel may hold, and a reader of its bytes that tells.

A SavedModel is a program that its server runs: an op that reads a file reads the server's. So every op type of what is
exported is on the list below, which holds pure computation alone; the ops that load the weights may sit in the loader's
part and nowhere else.

NOTE: this file imports nothing outside the standard library, so that a checker can load it by its path, without
TensorFlow: the SavedModel's protocol buffer is read from its wire format (field numbers:
tensorflow/core/protobuf/{meta_graph,saver}.proto and
tensorflow/core/framework/{graph,function,node_def,attr_value,op_def}.proto).
"""

from typing import NamedTuple

REASONS = {
    "structure: arguments, constants, weights that are read, checks that stop a request": """
        Placeholder PlaceholderWithDefault Const Identity IdentityN NoOp VarHandleOp ReadVariableOp ResourceGather
        ResourceGatherNd StopGradient PreventGradient EnsureShape Assert CheckNumerics""",
    "control flow: calls, branches and loops over functions of the same graph, which are checked as well": """
        PartitionedCall StatefulPartitionedCall If StatelessIf Case StatelessCase While StatelessWhile""",
    "lists inside a loop (tf.TensorArray, tf.map_fn): memory of one request": """
        EmptyTensorList TensorListReserve TensorListFromTensor TensorListGetItem TensorListSetItem TensorListStack
        TensorListGather TensorListScatterV2 TensorListScatterIntoExistingList TensorListPushBack TensorListPopBack
        TensorListLength TensorListElementShape TensorListConcatV2 TensorListResize TensorListSplit""",
    "noise that is a function of a seed; stateful noise is not here: it would be the same after every restart": """
        StatelessRandomGetKeyCounter StatelessRandomGetKeyCounterAlg StatelessRandomGetAlg StatelessRandomUniformV2
        StatelessRandomUniformIntV2 StatelessRandomUniformFullIntV2 StatelessRandomNormalV2 StatelessTruncatedNormalV2
        StatelessRandomUniform StatelessRandomNormal StatelessRandomGammaV3 StatelessMultinomial""",
    "shapes and indices": """
        Shape ShapeN Size Rank Reshape ExpandDims Squeeze Transpose ConjugateTranspose InvertPermutation Concat ConcatV2
        ConcatOffset Split SplitV Pack Unpack Slice StridedSlice Tile BroadcastTo BroadcastArgs BroadcastGradientArgs
        Fill Range LinSpace ZerosLike OnesLike Pad PadV2 MirrorPad Gather GatherV2 GatherNd ScatterNd
        TensorScatterUpdate TensorScatterAdd TensorScatterMax Where Select SelectV2 OneHot ReverseV2 ReverseSequence
        Roll TopKV2 InTopKV2 UniqueV2 DynamicStitch DynamicPartition UnsortedSegmentSum SegmentSumV2 SpaceToDepth
        DepthToSpace SpaceToBatchND BatchToSpaceND ExtractImagePatches Cast Bitcast Diag DiagPart MatrixDiagV3
        MatrixDiagPartV3 MatrixSetDiagV3 MatrixBandPart LowerBound UpperBound""",
    "arithmetic, entry by entry": """
        Add AddV2 AddN Sub Mul MulNoNan Div DivNoNan RealDiv FloorDiv FloorMod Mod TruncateDiv TruncateMod Neg Abs Sign
        Square SquaredDifference Sqrt Rsqrt Reciprocal Inv Pow Exp Expm1 Log Log1p Xlogy Xlog1py Xdivy Sin Cos Tan Sinh
        Cosh Asin Acos Atan Atan2 Asinh Acosh Atanh Tanh Sigmoid Softplus Softsign Relu Relu6 LeakyRelu Elu Selu Erf
        Erfc Erfinv Ndtri Lgamma Digamma Polygamma Igamma Igammac Betainc BesselI0e BesselI1e Minimum Maximum
        ClipByValue Floor Ceil Round Rint NextAfter IsNan IsInf IsFinite Equal NotEqual ApproximateEqual Less LessEqual
        Greater GreaterEqual LogicalAnd LogicalOr LogicalNot BitwiseAnd BitwiseOr BitwiseXor LeftShift RightShift Invert
        Complex ComplexAbs Real Imag Angle Conj""",
    "reductions": """
        Sum Prod Mean Max Min All Any ArgMax ArgMin Cumsum Cumprod CumulativeLogsumexp LogSoftmax Softmax L2Loss
        SparseSoftmaxCrossEntropyWithLogits SoftmaxCrossEntropyWithLogits Bincount DenseBincount""",
    "linear algebra and Fourier transforms": """
        MatMul BatchMatMul BatchMatMulV2 BatchMatMulV3 Einsum Cross Cholesky MatrixTriangularSolve MatrixSolve
        MatrixInverse MatrixDeterminant LogMatrixDeterminant Lu Qr Svd SelfAdjointEigV2 FFT IFFT FFT2D IFFT2D RFFT IRFFT
        RFFT2D IRFFT2D""",
    "layers: convolution, pooling, normalisation, resampling": """
        BiasAdd Conv2D Conv3D DepthwiseConv2dNative Conv2DBackpropInput Conv3DBackpropInputV2
        DepthwiseConv2dNativeBackpropInput MaxPool MaxPoolV2 MaxPool3D AvgPool AvgPool3D FusedBatchNormV3 LRN
        ResizeNearestNeighbor ResizeBilinear ResizeBicubic ResizeArea ScaleAndTranslate CropAndResize
        ImageProjectiveTransformV3""",
    "derivatives, which scores and continuous flows evaluate": """
        SigmoidGrad TanhGrad SoftplusGrad SoftsignGrad ReluGrad Relu6Grad LeakyReluGrad EluGrad SeluGrad SqrtGrad
        RsqrtGrad ReciprocalGrad InvGrad BiasAddGrad Conv2DBackpropFilter DepthwiseConv2dNativeBackpropFilter
        MaxPoolGrad AvgPoolGrad FusedBatchNormGradV3 StridedSliceGrad MirrorPadGrad ResizeNearestNeighborGrad
        ResizeBilinearGrad IgammaGradA""",
}
ALLOWED = frozenset(" ".join(REASONS.values()).split())
LOADER = frozenset("RestoreV2 SaveV2 MergeV2Checkpoints ShardedFilename StringJoin StaticRegexFullMatch "
                   "AssignVariableOp DisableCopyOnRead".split())
INIT = "__saved_model_init_op"  # a signature of the format's own


class Node(NamedTuple):
    """A node of the graph or of a function: its inputs' names, the functions that it calls, and whether XLA must
    compile it."""

    name: str
    op: str
    inputs: tuple
    calls: tuple
    xla: bool


def fields(data):
    """The fields of a protocol buffer message as {number: [value]}: integers for varints, memoryviews for everything
    else.

    Raises ValueError if the bytes are no such message.
    """
    if isinstance(data, int):
        raise ValueError("saved_model.pb is corrupt: a number where a message should be.")
    data, at, found = memoryview(data), 0, {}

    def varint():
        nonlocal at
        value = 0
        for shift in range(0, 70, 7):
            if at >= len(data):
                break
            byte = data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
        raise ValueError("saved_model.pb is corrupt: a number does not end.")

    while at < len(data):
        number, kind = divmod(varint(), 8)
        if kind == 0:
            value = varint()
        elif kind in (1, 2, 5):
            size = {1: 8, 5: 4}.get(kind) or varint()
            value, at = data[at:at + size], at + size
            if at > len(data):
                raise ValueError("saved_model.pb is corrupt: a field is longer than its message.")
        else:
            raise ValueError(f"saved_model.pb is corrupt: wire type {kind}.")
        found.setdefault(number, []).append(value)
    return found


def _string(value):
    return "" if isinstance(value, int) else bytes(value).decode(errors="replace")


def text(message, number):
    """A string field, "" where it is not set."""
    return _string(message.get(number, [b""])[0])


def entries(message, number):
    """The entries of a map field as {key: value's fields}."""
    pairs = (fields(entry) for entry in message.get(number, ()))
    return {text(pair, 1): fields(pair.get(2, [b""])[0]) for pair in pairs}


def _node(data, functions=()):
    node = fields(data)
    attributes = entries(node, 5)
    calls = []
    for value in attributes.values():  # 10: a function, 1: a list, whose 9: functions
        some = value.get(10, []) + [f for items in value.get(1, []) for f in fields(items).get(9, [])]
        calls += [text(fields(f), 1) for f in some]
    if not text(node, 2):
        raise ValueError("saved_model.pb is corrupt: a node without an op.")
    return Node(text(node, 1), text(node, 2), tuple(map(_string, node.get(3, ()))), tuple(calls), _xla(attributes))


def _xla(attributes):
    return any(attributes.get("_XlaMustCompile", {}).get(5, ()))


def meta_graph(data):
    """The only MetaGraph of a `saved_model.pb`. Raises ValueError if these bytes are none, or hold several."""
    graphs = fields(data).get(2, ())
    if len(graphs) != 1:
        raise ValueError(f"saved_model.pb holds {len(graphs)} graphs where an export has one.")
    return fields(graphs[0])


def signatures(data):
    """{signature: ({input: (tensor's name, dtype number, shape)}, {output: the same})}; -1 is a dimension that is not
    fixed."""

    def tensors(signature, number):
        return {key: (text(info, 1), info.get(2, [0])[0],
                      tuple(_signed(fields(dim).get(1, [0])[0]) for shape in info.get(3, ())
                                                              for dim in fields(shape).get(2, ()))) for key,
                info in entries(signature, number).items()}

    return {name: (tensors(signature, 1), tensors(signature, 2)) for name,
            signature in entries(meta_graph(data), 5).items() if name != INIT}


def _signed(value):
    return value - (1 << 64) if value >= 1 << 63 else value


def check(data):
    """Returns the op types of the SavedModel with these bytes; raises ValueError, one sentence, if a server should not
    run one of them.

    The loader's part is what is reached from the saver's nodes, and not from a signature; there, the ops of `LOADER`
    are allowed too.
    """
    parts = _parts(meta_graph(data))
    for part, allowed in zip(parts, (ALLOWED, ALLOWED | LOADER)):
        for node in part:
            if node.xla:
                raise ValueError(f"{node.name!r} must be compiled by XLA (jit_compile=True), which servers switch off; "
                                 "export it without.")
            if node.op not in allowed:
                raise ValueError(f"op {node.op!r} of {node.name!r} is not on the list of ops that an exported model "
                                 "may hold (zoo/serving/graph.py).")
    return {node.op for part in parts for node in part}


def _parts(meta):
    """Returns (nodes of everything but the loader's part, nodes of the loader's part)."""
    graph = fields(meta.get(2, [b""])[0])
    nodes = {node.name: node for node in map(_node, graph.get(1, ()))}
    library = {}
    # FunctionDef, 1: its signature, 3: its nodes, 5: its attributes
    for data in fields(graph.get(2, [b""])[0]).get(1, ()):
        function = fields(data)
        name = text(fields(function.get(1, [b""])[0]), 1)
        library[name] = [_node(node)._replace(name=f"{name}/{text(fields(node), 1)}") for node in function.get(3, ())]
        if _xla(entries(function, 5)):
            library[name].append(Node(name, "NoOp", (), (), True))

    def reach(starts):
        """Names of graph nodes, and of functions, that the nodes `starts` need."""
        seen, called, todo = set(), set(), list(starts)
        while todo:
            name = todo.pop().removeprefix("^").split(":")[0]
            if name in nodes and name not in seen:
                seen.add(name)
                todo += nodes[name].inputs
        functions = [f for name in seen for f in (*nodes[name].calls, nodes[name].op)]
        while functions:
            name = functions.pop()
            if name in library and name not in called:
                called.add(name)
                functions += [f for node in library[name] for f in (*node.calls, node.op)]
        return seen, called

    outputs = [text(info, 1) for signature in entries(meta, 5).values() for info in entries(signature, 2).values()]
    saver = fields(meta.get(3, [b""])[0])
    served, saving = reach(outputs), reach([text(saver, 2), text(saver, 3)])
    mine, functions = (saving[i] - served[i] for i in (0, 1))
    # A node whose op is a function's name is a call, and that function is looked at like any other.
    every = [(name in mine, node) for name, node in nodes.items()]
    every += [(name in functions, node) for name, body in library.items() for node in body]
    every = [(in_loader, node._replace(op="PartitionedCall") if node.op in library else node) for in_loader,
             node in every]
    return [node for in_loader, node in every if not in_loader], [node for in_loader, node in every if in_loader]
