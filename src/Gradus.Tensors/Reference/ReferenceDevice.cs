using System.Runtime.InteropServices;

namespace Gradus.Tensors;

/// <summary>
/// The specification of every operation: scalar loops in double precision that read like the formulas. It is the oracle of all
/// kernel tests, and far too slow for anything else.
/// </summary>
public sealed unsafe partial class ReferenceDevice : Device
{
    /// <summary>The one instance; it has no state.</summary>
    public static ReferenceDevice Instance { get; } = new();

    /// <inheritdoc/>
    public override string Name => "reference";

    /// <inheritdoc/>
    public override bool IsHost => true;

    /// <inheritdoc/>
    protected internal override nint Allocate(long bytes) => (nint)NativeMemory.AlignedAlloc((nuint)bytes, 64);

    /// <inheritdoc/>
    protected internal override void Free(nint address, long bytes) => NativeMemory.AlignedFree((void*)address);

    /// <inheritdoc/>
    protected internal override void Poison(nint address, long bytes) => NativeMemory.Fill((void*)address, (nuint)bytes, 0xFF);

    /// <inheritdoc/>
    public override void Clear(Tensor y) => NativeMemory.Clear((void*)y.Address, (nuint)(y.Count * y.DType.Size()));

    /// <inheritdoc/>
    public override void Fill(Tensor y, float value)
    {
        for (long i = 0; i < y.Count; i++)
            y.Floats[i] = value;
    }

    /// <inheritdoc/>
    public override void Convert(Tensor x, Tensor y)
    {
        for (long i = 0; i < x.Count; i++)
            Store(y, i, Load(x, i));
    }

    /// <inheritdoc/>
    public override void CopyColumns(Tensor x, int xStart, Tensor y, int yStart, int columns, bool accumulate)
    {
        for (long r = 0; r < x.Shape.Rows; r++)
        {
            for (int c = 0; c < columns; c++)
            {
                float* to = y.Floats + (r * y.Shape.Columns) + yStart + c;
                *to = x.Floats[(r * x.Shape.Columns) + xStart + c] + (accumulate ? *to : 0);
            }
        }
    }

    /// <inheritdoc/>
    public override void SwapAxes(Tensor x, Tensor y, int a, int b, int c)
    {
        for (long i = 0; i < a; i++)
        {
            for (long j = 0; j < b; j++)
            {
                for (long k = 0; k < c; k++)
                    y.Floats[(((j * a) + i) * c) + k] = x.Floats[(((i * b) + j) * c) + k];
            }
        }
    }

    /// <inheritdoc/>
    public override void Binary(BinaryOp op, Tensor a, Tensor b, Tensor y)
    {
        for (long i = 0; i < a.Count; i++)
        {
            double left = a.Floats[i], right = b.Floats[i % b.Count];
            y.Floats[i] = (float)(op switch
            {
                BinaryOp.Add => left + right,
                BinaryOp.Subtract => left - right,
                BinaryOp.Multiply => left * right,
                BinaryOp.Divide => left / right,
                _ => throw new ArgumentOutOfRangeException(nameof(op), op, null),
            });
        }
    }

    /// <inheritdoc/>
    public override void Scale(Tensor x, float alpha, Tensor y)
    {
        for (long i = 0; i < x.Count; i++)
            y.Floats[i] = alpha * x.Floats[i];
    }

    /// <inheritdoc/>
    public override void Axpy(float alpha, Tensor x, Tensor y)
    {
        for (long i = 0; i < x.Count; i++)
            y.Floats[i] = (float)(y.Floats[i] + ((double)alpha * x.Floats[i]));
    }

    /// <inheritdoc/>
    public override void Activate(Activation f, Tensor x, Tensor y)
    {
        for (long i = 0; i < x.Count; i++)
            y.Floats[i] = (float)f.Apply(x.Floats[i]);
    }

    /// <inheritdoc/>
    public override void ActivateGradient(Activation f, Tensor x, Tensor dy, Tensor dx)
    {
        for (long i = 0; i < x.Count; i++)
            dx.Floats[i] = (float)(dy.Floats[i] * f.Derivative(x.Floats[i]));
    }

    /// <inheritdoc/>
    public override void Gate(Activation f, Tensor gate, Tensor up, Tensor y)
    {
        for (long i = 0; i < gate.Count; i++)
            y.Floats[i] = (float)(f.Apply(gate.Floats[i]) * up.Floats[i]);
    }

    /// <inheritdoc/>
    public override void GateGradient(Activation f, Tensor gate, Tensor up, Tensor dy, Tensor dGate, Tensor dUp)
    {
        for (long i = 0; i < gate.Count; i++)
        {
            double g = gate.Floats[i], u = up.Floats[i], d = dy.Floats[i];
            dGate.Floats[i] = (float)(d * u * f.Derivative(g));
            dUp.Floats[i] = (float)(d * f.Apply(g));
        }
    }

    /// <inheritdoc/>
    public override void Dropout(Tensor x, float probability, ulong key, Tensor y)
    {
        uint threshold = CounterRandom.Threshold(probability);
        float scale = 1f / (1f - probability);
        for (long i = 0; i < x.Count; i++)
            y.Floats[i] = CounterRandom.Bits(key, i) < threshold ? 0 : x.Floats[i] * scale;
    }

    /// <inheritdoc/>
    public override void SumRows(Tensor x, Tensor y, bool accumulate)
    {
        for (int c = 0; c < x.Shape.Columns; c++)
        {
            double sum = accumulate ? y.Floats[c] : 0;
            for (long r = 0; r < x.Shape.Rows; r++)
                sum += x.Floats[(r * x.Shape.Columns) + c];
            y.Floats[c] = (float)sum;
        }
    }

    /// <inheritdoc/>
    public override void ScaleRows(Tensor x, Tensor factors, Tensor y)
    {
        int columns = x.Shape.Columns;
        for (long r = 0; r < x.Shape.Rows; r++)
        {
            for (int c = 0; c < columns; c++)
                y.Floats[(r * columns) + c] = factors.Floats[r] * x.Floats[(r * columns) + c];
        }
    }

    /// <inheritdoc/>
    public override double Sum(Tensor x)
    {
        double sum = 0;
        for (long i = 0; i < x.Count; i++)
            sum += x.Floats[i];
        return sum;
    }

    /// <inheritdoc/>
    public override double SumOfSquares(params ReadOnlySpan<Tensor> tensors)
    {
        double sum = 0;
        foreach (Tensor x in tensors)
        {
            for (long i = 0; i < x.Count; i++)
                sum += (double)x.Floats[i] * x.Floats[i];
        }
        return sum;
    }

    /// <inheritdoc/>
    public override void RowDots(Tensor a, Tensor b, Tensor y)
    {
        int columns = a.Shape.Columns;
        for (long r = 0; r < a.Shape.Rows; r++)
        {
            double sum = 0;
            for (int c = 0; c < columns; c++)
                sum += (double)a.Floats[(r * columns) + c] * b.Floats[(r * columns) + c];
            y.Floats[r] = (float)sum;
        }
    }

    /// <inheritdoc/>
    public override void MatMul(in MatMulTask task)
    {
        var (a, b, c, m, n, k) = task;
        bool round = task.Precision == Precision.BF16;
        for (long batch = 0; batch < task.Batch; batch++)
        {
            for (long i = 0; i < m; i++)
            {
                for (long j = 0; j < n; j++)
                {
                    double sum = task.Bias is null ? 0 : task.Bias.Floats[j];
                    for (long l = 0; l < k; l++)
                    {
                        float left = Load(a, (batch * m * k) + (task.TransposeA ? (l * m) + i : (i * k) + l));
                        float right = Load(b, (batch * k * n) + (task.TransposeB ? (j * k) + l : (l * n) + j));
                        sum += round ? (double)ToBF16(left) * ToBF16(right) : (double)left * right;
                    }
                    float* to = c.Floats + (batch * m * n) + (i * n) + j;
                    *to = (float)(task.Accumulate ? *to + sum : sum);
                }
            }
        }
        Finish(task.Epilogue, c);
    }

    // An epilogue is, by definition, the separate operation on the sums as they are stored.
    private void Finish(in Epilogue epilogue, Tensor c)
    {
        if (epilogue.Sums is { } sums)
            Scale(c, 1, sums);
        switch (epilogue.Kind)
        {
            case EpilogueKind.None:
                break;
            case EpilogueKind.Residual:
                Binary(BinaryOp.Add, c, epilogue.Input!, c);
                break;
            case EpilogueKind.Activation:
                Activate(epilogue.Function, c, c);
                break;
            case EpilogueKind.Slope:
                ActivateGradient(epilogue.Function, epilogue.Input!, c, c);
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(epilogue), epilogue.Kind, null);
        }
    }

    /// <inheritdoc/>
    public override void Update(ReadOnlySpan<UpdateTask> tasks)
    {
        foreach (UpdateTask task in tasks)
        {
            for (long i = 0; i < task.Value.Count; i++)
            {
                double u = (double)task.GradientScale * task.Gradient.Floats[i];
                foreach (UpdatePart part in task.Parts.Span)
                    u = Updated(part, u, task.Value.Floats[i], i);
                if (task.Output is { } output)
                    output.Floats[i] = (float)u;
                else
                    task.Value.Floats[i] = (float)(task.Value.Floats[i] + u);
            }
        }
    }

    private static double Updated(in UpdatePart part, double u, float value, long i)
    {
        switch (part.Kind)
        {
            case UpdateKind.Scale:
                return part.A * u;
            case UpdateKind.AddValue:
                return u + ((double)part.A * value);
            case UpdateKind.Trace:
                double trace = part.First!.Floats[i] = (float)(((double)part.A * part.First.Floats[i]) + (part.B * u));
                return (part.C * trace) + (part.D * u);
            case UpdateKind.Adam:
                double m = part.First!.Floats[i] = (float)(((double)part.A * part.First.Floats[i]) + ((1.0 - part.A) * u));
                double v = part.Second!.Floats[i] = (float)(((double)part.B * part.Second.Floats[i]) + ((1.0 - part.B) * u * u));
                return m * part.D / (Math.Sqrt(v * part.E) + part.C);
            case UpdateKind.Clamp:
                return Math.Clamp(u, -part.A, part.A);
            case UpdateKind.AddAgreeingValue:
                return u * value > 0 ? u + ((double)part.A * value) : u;
            case UpdateKind.RootMeanSquare:
                double square = Decay(part.First!, part.A, part.B * u * u, i);
                double mean = part.Second is { } means ? Decay(means, part.A, part.B * u, i) : 0;
                return u / (Math.Sqrt(Math.Max(0, square - (mean * mean))) + part.C);
            case UpdateKind.AdamVariant:
                double moment = Decay(part.First!, part.A, (1.0 - part.A) * u, i), scale = Decay(part.Second!, part.B, (1.0 - part.B) * u * u, i);
                if (part.Third is { } highest)
                    scale = highest.Floats[i] = Math.Max(highest.Floats[i], (float)scale);
                return ((moment * part.D) + (u * part.F)) / (Math.Sqrt(scale * part.E) + part.C);
            case UpdateKind.Adamax:
                double first = Decay(part.First!, part.A, (1.0 - part.A) * u, i);
                double norm = part.Second!.Floats[i] = (float)Math.Max((double)part.B * part.Second.Floats[i], Math.Abs(u) + part.C);
                return part.D * first / norm;
            case UpdateKind.Adadelta:
                double delta = Math.Sqrt((double)part.Second!.Floats[i] + part.C) / Math.Sqrt(Decay(part.First!, part.A, (1.0 - part.A) * u * u, i) + part.C) * u;
                Decay(part.Second, part.A, (1.0 - part.A) * delta * delta, i);
                return delta;
            case UpdateKind.Lion:
                double blend = ((double)part.A * part.First!.Floats[i]) + ((1.0 - part.A) * u);
                Decay(part.First, part.B, (1.0 - part.B) * u, i);
                return Math.Sign(blend);
            default:
                return u;
        }
    }

    // x = decay·x + added.
    private static double Decay(Tensor x, float decay, double added, long i) => x.Floats[i] = (float)(((double)decay * x.Floats[i]) + added);

    private static float ToBF16(float x) => BFloat16.ToSingle(BFloat16.FromSingle(x));

    internal static float Load(Tensor x, long i) => x.DType switch
    {
        DType.F32 => ((float*)x.Address)[i],
        DType.BF16 => BFloat16.ToSingle(((ushort*)x.Address)[i]),
        DType.F16 => (float)((Half*)x.Address)[i],
        _ => throw new NotSupportedException($"{x.DType} is not a floating-point type to compute with."),
    };

    private static void Store(Tensor y, long i, float value)
    {
        switch (y.DType)
        {
            case DType.F32:
                ((float*)y.Address)[i] = value;
                break;
            case DType.BF16:
                ((ushort*)y.Address)[i] = BFloat16.FromSingle(value);
                break;
            case DType.F16:
                ((Half*)y.Address)[i] = (Half)value;
                break;
            default:
                throw new NotSupportedException($"{y.DType} is not a floating-point type to compute with.");
        }
    }
}
