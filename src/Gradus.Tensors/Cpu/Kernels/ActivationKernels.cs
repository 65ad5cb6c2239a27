// Activations, gates and dropout: element-wise work with more arithmetic in it.

using System.Runtime.CompilerServices;

namespace Gradus.Tensors.Cpu;

internal sealed unsafe partial class CpuDevice<T>
{
    public override void Activate(Activation f, Tensor x, Tensor y) =>
        Steps(TileFunction.Value, f, x, new TileStep { Target = y.Floats });

    public override void ActivateGradient(Activation f, Tensor x, Tensor dy, Tensor dx) =>
        Steps(TileFunction.Slope, f, dy, new TileStep { Target = dx.Floats, Input = x.Floats });

    public override void Gate(Activation f, Tensor gate, Tensor up, Tensor y) =>
        Steps(TileFunction.Gate, f, up, new TileStep { Target = y.Floats, Input = gate.Floats });

    public override void GateGradient(Activation f, Tensor gate, Tensor up, Tensor dy, Tensor dGate, Tensor dUp) =>
        Steps(TileFunction.GateSlope, f, dy, new TileStep { Target = dUp.Floats, Input = gate.Floats, Up = up.Floats, Output = dGate.Floats });

    // What ends a product, on values that something else made.
    private void Steps(TileFunction function, Activation f, Tensor values, in TileStep step)
    {
        StepJob job = new() { Step = step with { Kernel = TileKernels<T>.Of(function, f), Function = f }, Values = values.Floats, Count = values.Count };
        Split(job.Count, Grain, &job, &StepPiece);
    }

    private struct StepJob
    {
        public TileStep Step;
        public float* Values;
        public long Count;
    }

    private static void StepPiece(void* context, int item, int worker)
    {
        StepJob* job = (StepJob*)context;
        long start = item * Grain;
        job->Step.Run(job->Values + start, 0, (nint)start, 0, 1, (int)Math.Min(Grain, job->Count - start));
    }

    public override void Dropout(Tensor x, float probability, ulong key, Tensor y)
    {
        DropoutJob job = new()
        {
            X = x.Floats,
            Y = y.Floats,
            Count = x.Count,
            Key = key,
            Threshold = CounterRandom.Threshold(probability),
            Scale = 1f / (1f - probability),
        };
        Split(x.Count, Grain, &job, &DropoutPiece);
    }

    private struct DropoutJob
    {
        public float* X;
        public float* Y;
        public long Count;
        public ulong Key;
        public uint Threshold;
        public float Scale;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void DropoutPiece(void* context, int item, int worker)
    {
        DropoutJob* job = (DropoutJob*)context;
        long end = Math.Min(job->Count, (item + 1) * Grain);
        T threshold = T.BroadcastBits((int)job->Threshold), scale = T.Broadcast(job->Scale);
        for (long i = item * Grain; i < end; i += T.Width)
        {
            int n = (int)Math.Min(T.Width, end - i);
            T drops = T.LessBits(T.RandomBits(job->Key, i), threshold);
            T.StoreTail(job->Y + i, n, T.Select(drops, T.Zero, T.LoadTail(job->X + i, n) * scale));
        }
    }
}
