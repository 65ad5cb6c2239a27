namespace Gradus.Tensors.Cpu;

internal sealed unsafe partial class CpuDevice<T>
{
    public override void MatMul(in MatMulTask task)
    {
        bool round = task.Precision == Precision.BF16;
        Gemm.Multiply(Isa, Workers, new GemmProblem
        {
            M = task.M,
            N = task.N,
            K = task.K,
            Batch = task.Batch,
            A = Operand(task.A, task.TransposeA ? task.M : task.K, task.TransposeA, (nint)task.M * task.K, round),
            B = Operand(task.B, task.TransposeB ? task.K : task.N, task.TransposeB, (nint)task.K * task.N, round),
            C = task.C.Floats,
            StrideC = task.N,
            BatchStrideC = (nint)task.M * task.N,
            Bias = task.Bias is null ? null : task.Bias.Floats,
            Accumulate = task.Accumulate,
        });
    }

    private Operand Operand(Tensor x, int stride, bool transposed, nint batchStride, bool round) => x.DType switch
    {
        DType.F32 => new Operand(x.Floats, stride, transposed) { BatchStride = batchStride, RoundToBf16 = round },
        DType.BF16 => new Operand((ushort*)x.Address, stride, transposed) { BatchStride = batchStride },
        _ => throw new NotSupportedException($"MatMul: weights of type {x.DType} are widened when they are loaded."),
    };
}
