namespace Gradus.Tensors.Cpu;

internal sealed unsafe partial class CpuDevice<T>
{
    public override void MatMul(in MatMulTask task)
    {
        if (task.A.DType == DType.F16 || task.B.DType == DType.F16)
        {
            MatMulWidened(task);
            return;
        }
        bool round = task.Precision == Precision.BF16;
        GemmProblem problem = new()
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
            Epilogue = TileStep.Of<T>(task.Epilogue, task.C),
        };
        if (round)
            Bf16Gemm.Multiply(Isa, Workers, problem, Panels(task, problem));
        else
            Gemm.Multiply(Isa, Workers, problem);
    }

    private Bf16Panels? Panels(in MatMulTask task, in GemmProblem problem)
    {
        if (!Bf16Gemm.KeepsPanels(Isa, task))
            return null;
        Parameter parameter = task.B.Owner!;
        ref object? kept = ref parameter.Packed[task.TransposeB ? 1 : 0];
        Bf16Panels panels = (Bf16Panels)(kept ??= new Bf16Panels());
        panels.Update(Workers, problem.B, task.K, task.N, parameter.Version);
        return panels;
    }

    // F16 operands are widened whole: a format to store models in, not to compute with.
    private void MatMulWidened(in MatMulTask task)
    {
        Tensor a = Widened(task.A, task.C.Workspace), b = Widened(task.B, task.C.Workspace);
        MatMul(task with { A = a, B = b });
        a.Detach();
        b.Detach();
    }

    private Tensor Widened(Tensor x, Workspace workspace)
    {
        if (x.DType != DType.F16)
            return workspace.Alias(x, x.Shape);
        Tensor wide = workspace.Empty(x.Shape);
        Convert(x, wide);
        return wide;
    }

    private static Operand Operand(Tensor x, int stride, bool transposed, nint batchStride, bool round) => x.DType switch
    {
        DType.F32 => new Operand(x.Floats, stride, transposed) { BatchStride = batchStride, RoundToBf16 = round },
        DType.BF16 => new Operand((ushort*)x.Address, stride, transposed) { BatchStride = batchStride },
        _ => throw new NotSupportedException($"MatMul: {x.DType} is not a floating-point type to compute with."),
    };
}
