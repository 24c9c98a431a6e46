"""What the graph of an exported SavedModel may hold.

A SavedModel is a program that its server runs: an op that reads a file reads the server's. So every op type of what is
exported is on the list below, which holds pure computation alone; the ops that load the weights may sit in the loader's
part and nowhere else.
"""

from google.protobuf.message import DecodeError
from tensorflow.core.protobuf import saved_model_pb2

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


def parse(data):
    """Returns the only MetaGraphDef of a `saved_model.pb` with these bytes. Raises ValueError if they are none, or hold
    several.
    """
    try:
        graphs = saved_model_pb2.SavedModel.FromString(data).meta_graphs
    except DecodeError:
        raise ValueError("saved_model.pb is corrupt: its bytes are no SavedModel.") from None
    if len(graphs) != 1:
        raise ValueError(f"saved_model.pb holds {len(graphs)} graphs where an export has one.")
    return graphs[0]


def signatures(meta):
    """Returns {signature: its SignatureDef}, but for the format's own."""
    return {name: signature for name, signature in meta.signature_def.items() if name != INIT}


def check(meta):
    """Returns the op types of a MetaGraphDef; raises ValueError, one sentence, if a server should not run one of them.

    The loader's part is what is reached from the saver's nodes, and not from a signature; there, the ops of `LOADER`
    are allowed too.
    """
    library = {function.signature.name: function for function in meta.graph_def.library.function}
    nodes, functions = _loaders_part(meta, library)
    ops = {_checked(node, node.name, library, node.name in nodes) for node in meta.graph_def.node}
    for function in meta.graph_def.library.function:
        name = function.signature.name
        _require_no_xla(function, name)
        ops |= {_checked(node, f"{name}/{node.name}", library, name in functions) for node in function.node_def}
    return ops


def _checked(node, name, library, in_loader):
    """Returns a node's op type. Raises ValueError where a server should not run it."""
    _require_no_xla(node, name)
    # A node whose op is a function's name is a call, and that function is looked at like any other.
    op = "PartitionedCall" if node.op in library else node.op
    if op not in ALLOWED and not (in_loader and op in LOADER):
        raise ValueError(f"op {op!r} of {name!r} is not on the list of ops that an exported model may hold "
                         "(zoo/serving/graph.py).")
    return op


def _require_no_xla(message, name):
    """Raises ValueError for a node or a function that XLA must compile."""
    if "_XlaMustCompile" in message.attr and message.attr["_XlaMustCompile"].b:
        raise ValueError(f"{name!r} must be compiled by XLA (jit_compile=True), which servers switch off; export it "
                         "without.")


def _loaders_part(meta, library):
    """Returns (names of nodes, names of functions) that loading and saving weights need, and no signature does."""
    graph = {node.name: node for node in meta.graph_def.node}
    outputs = [info.name for signature in meta.signature_def.values() for info in signature.outputs.values()]
    served_nodes = _needed(outputs, graph)
    saving_nodes = _needed([meta.saver_def.save_tensor_name, meta.saver_def.restore_op_name], graph)
    served, saving = (_called([graph[name] for name in names], library) for names in (served_nodes, saving_nodes))
    return saving_nodes - served_nodes, saving - served


def _needed(tensors, graph):
    """Returns the names of the nodes of {name: node} that tensors depend on."""
    needed, todo = set(), list(tensors)
    while todo:
        name = todo.pop().removeprefix("^").split(":")[0]
        if name in graph and name not in needed:
            needed.add(name)
            todo += graph[name].input
    return needed


def _called(nodes, library):
    """Returns the names of the functions of {name: function} that nodes call, and that these call in turn."""
    called, todo = set(), [name for node in nodes for name in _calls(node)]
    while todo:
        name = todo.pop()
        if name in library and name not in called:
            called.add(name)
            todo += [other for node in library[name].node_def for other in _calls(node)]
    return called


def _calls(node):
    """Returns the names of what a node may call: the functions in its attributes, and its op, which may be one."""
    names = [node.op]
    for value in node.attr.values():
        names += [value.func.name, *(function.name for function in value.list.func)]
    return names
