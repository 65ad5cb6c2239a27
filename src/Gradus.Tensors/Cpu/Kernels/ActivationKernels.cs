// Activations, gates, dropout and Adam: element-wise work with more arithmetic in it.

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

    private static void DropoutPiece(void* context, int item, int worker)
    {
        DropoutJob* job = (DropoutJob*)context;
        long end = Math.Min(job->Count, (item + 1) * Grain);
        for (long i = item * Grain; i < end; i++)
            job->Y[i] = CounterRandom.Bits(job->Key, i) < job->Threshold ? 0 : job->X[i] * job->Scale;
    }

    public override void AdamMoments(in AdamTask task)
    {
        AdamJob job = new()
        {
            G = task.Gradient.Floats,
            M = task.M.Floats,
            V = task.V.Floats,
            U = task.Update.Floats,
            Count = task.Gradient.Count,
            Beta1 = task.Beta1,
            Beta2 = task.Beta2,
            Epsilon = task.Epsilon,
            Correction1 = task.Correction1,
            Correction2 = task.Correction2,
        };
        Split(job.Count, Grain, &job, &AdamPiece);
    }

    private struct AdamJob
    {
        public float* G;
        public float* M;
        public float* V;
        public float* U;
        public long Count;
        public float Beta1;
        public float Beta2;
        public float Epsilon;
        public float Correction1;
        public float Correction2;
    }

    private static void AdamPiece(void* context, int item, int worker)
    {
        AdamJob* job = (AdamJob*)context;
        long end = Math.Min(job->Count, (item + 1) * Grain);
        T b1 = T.Broadcast(job->Beta1), b2 = T.Broadcast(job->Beta2);
        T a1 = T.Broadcast(1f - job->Beta1), a2 = T.Broadcast(1f - job->Beta2);
        T c1 = T.Broadcast(job->Correction1), c2 = T.Broadcast(job->Correction2), epsilon = T.Broadcast(job->Epsilon);
        for (long i = item * Grain; i < end; i += T.Width)
        {
            int n = (int)Math.Min(T.Width, end - i);
            T g = T.LoadTail(job->G + i, n);
            T m = T.Fma(b1, T.LoadTail(job->M + i, n), a1 * g);
            T v = T.Fma(b2, T.LoadTail(job->V + i, n), a2 * g * g);
            T.StoreTail(job->M + i, n, m);
            T.StoreTail(job->V + i, n, v);
            T.StoreTail(job->U + i, n, m / c1 / (T.Sqrt(v / c2) + epsilon));
        }
    }
}
