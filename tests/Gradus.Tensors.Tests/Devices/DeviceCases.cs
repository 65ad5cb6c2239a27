namespace Gradus.Tensors.Tests;

/// <summary>Calls of every operation of a device; ParityTests fails for an operation without.</summary>
internal static partial class DeviceCases
{
    /// <summary>Lengths around all register widths.</summary>
    private static readonly int[] Lengths = [0, 1, 3, 4, 7, 8, 15, 16, 17, 31, 33, 64, 65];

    private static readonly Lazy<DeviceCase[]> Built = new(() =>
        [.. Elements(), .. Updates(), .. ActivationValues(), .. Moves(), .. Reductions(), .. Products(), .. FinishedProducts(), .. PackedProducts(), .. RowWise(), .. Norms(), .. Rotations(), .. Attentions(), .. Recurrences()]);

    public static IReadOnlyList<DeviceCase> All => Built.Value;

    /// <summary>Element counts: short ones, and one that several threads share.</summary>
    private static IEnumerable<int> Counts => [.. Lengths, 50_003];

    /// <summary>Rows and columns: short ones, and some that several threads share.</summary>
    private static IEnumerable<(int Rows, int Columns)> Tables => [.. Lengths.Select(c => (3, c)), .. Lengths.Select(r => (r, 5)), (301, 257), (40_001, 2), (3, 20_011)];

    private static IEnumerable<DeviceCase> Elements()
    {
        foreach (int n in Counts)
        {
            yield return new(nameof(Device.Clear), $"{n}", b => b.Device.Clear(b.Output(n)));
            yield return new(nameof(Device.Fill), $"{n}", b => b.Device.Fill(b.Output(n), 1.5f));
            yield return new(nameof(Device.Scale), $"{n}", b => b.Device.Scale(b.Normal(n), -0.7f, b.Output(n)));
            yield return new(nameof(Device.Scale), $"{n} by 1", b => b.Device.Scale(b.Normal(n), 1, b.Output(n)));
            yield return new(nameof(Device.Axpy), $"{n}", b => b.Device.Axpy(0.3f, b.Normal(n), b.Updated(n)));
            yield return new(nameof(Device.Dropout), $"{n}", b => b.Device.Dropout(b.Normal(n), 0.3f, 77, b.Output(n)));
            foreach (UpdateKind kind in Enum.GetValues<UpdateKind>())
                yield return new(nameof(Device.Update), $"{kind} {n}", b => b.Device.Update([new UpdateTask(b.Updated(n), b.Normal(n), 0.7f, new[] { Part(b, kind, n) })]));
            foreach (BinaryOp op in Enum.GetValues<BinaryOp>())
                yield return new(nameof(Device.Binary), $"{op} {n}", b => b.Device.Binary(op, b.Normal(n), b.Normal(n), b.Output(n)));
        }
        foreach (BinaryOp op in Enum.GetValues<BinaryOp>())
        {
            foreach ((int rows, int columns) in Tables)
                yield return new(nameof(Device.Binary), $"{op} ({rows}, {columns}) with a row", b => b.Device.Binary(op, b.Normal(rows, columns), b.Normal(columns), b.Output(rows, columns)));
            yield return new(nameof(Device.Binary), $"{op} with one value", b => b.Device.Binary(op, b.Normal(3, 19), b.Normal(1), b.Output(3, 19)));
            yield return new(nameof(Device.Binary), $"{op} in place", b => InPlace(b, op));
        }
    }

    // Tensors of all lengths in one step, each with another list of parts.
    private static IEnumerable<DeviceCase> Updates()
    {
        yield return new(nameof(Device.Update), "of nothing", b => b.Device.Update([]));
        yield return new(nameof(Device.Update), "of many", b =>
        {
            UpdateKind[] kinds = Enum.GetValues<UpdateKind>();
            int[] counts = [.. Counts, 16 * 1024, 16 * 1024 + 1, 0];
            b.Device.Update([.. counts.Select((n, i) => new UpdateTask(
                b.Updated(n), b.Normal(n), 0.1f + i, Enumerable.Range(0, i % 4).Select(j => Part(b, kinds[(i + j) % kinds.Length], n)).ToArray()))]);
        });
        yield return new(nameof(Device.Update), "into another tensor", b => b.Device.Update([
            new UpdateTask(b.Normal(20_001), b.Normal(20_001), 0.7f, new[] { UpdatePart.AddValue(0.2f), UpdatePart.Clamp(0.5f) }) { Output = b.Output(20_001) }]));
        yield return new(nameof(Device.Update), "AdamW", b => b.Device.Update([new UpdateTask(
            b.Updated(70_001), b.Normal(70_001), 1, new[] { Part(b, UpdateKind.Adam, 70_001), UpdatePart.AddValue(0.01f), UpdatePart.Scale(-3e-4f) })]));
    }

    private static UpdatePart Part(Bench b, UpdateKind kind, int n) => kind switch
    {
        UpdateKind.Scale => UpdatePart.Scale(-0.3f),
        UpdateKind.AddValue => UpdatePart.AddValue(0.2f),
        UpdateKind.Trace => UpdatePart.Trace(b.Updated(n), 0.9f, 0.7f, 0.8f, 0.3f),
        UpdateKind.Adam => UpdatePart.Adam(b.Updated(n), Squared(b.Updated(n)), 0.9f, 0.95f, 1e-8f, 3),
        UpdateKind.AdamVariant => UpdatePart.AdamVariant(
            b.Updated(n), Squared(b.Updated(n)), n % 2 == 0 ? Squared(b.Updated(n)) : null, 0.9f, 0.95f, 1e-4f, 0.8, n % 2 == 0 ? 0 : 0.3, 1.2),
        UpdateKind.Clamp => UpdatePart.Clamp(0.4f),
        UpdateKind.AddAgreeingValue => UpdatePart.AddAgreeingValue(0.2f),
        UpdateKind.RootMeanSquare => UpdatePart.RootMeanSquare(Squared(b.Updated(n)), n % 2 == 0 ? Scaled(b.Updated(n)) : null, 0.9f, 0.1f, 1e-2f),
        UpdateKind.Adamax => UpdatePart.Adamax(b.Updated(n), Squared(b.Updated(n)), 0.9f, 0.95f, 1e-4f, 1.1),
        UpdateKind.Adadelta => UpdatePart.Adadelta(Squared(b.Updated(n)), Squared(b.Updated(n)), 0.9f, 1e-4f),
        UpdateKind.Lion => UpdatePart.Lion(b.Updated(n), 0.9f, 0.99f),
        UpdateKind.None => default,
        _ => throw new ArgumentOutOfRangeException(nameof(kind), kind, null),
    };

    // So small that its square never exceeds a mean square.
    private static Tensor Scaled(Tensor x)
    {
        foreach (ref float v in x.Span())
            v *= 1e-3f;
        return x;
    }

    private static void InPlace(Bench b, BinaryOp op)
    {
        Tensor x = b.Updated(3, 19);
        b.Device.Binary(op, x, b.Normal(3, 19), x);
    }

    private static Tensor Squared(Tensor x)
    {
        foreach (ref float v in x.Span())
            v *= v;
        return x;
    }

    private static IEnumerable<DeviceCase> ActivationValues()
    {
        float[] special =
        [
            0, -0f, 1e-42f, -1e-42f, 1e-20f, -1e-20f, 1e-4f, -1e-4f, 0.5f, -0.5f, 0.70710678f, 3, -3, 5.9f, 6, 6.1f, 9.5f, -9.5f, 20, -20, 40, -40,
            88, -88, 104, -104, 1e4f, -1e4f,
        ];
        foreach (Activation f in Enum.GetValues<Activation>())
        {
            bool positive = f is Activation.Log or Activation.Sqrt;
            float[] values = positive ? [.. special.Where(v => v > 0)] : special;
            foreach (int n in Counts)
            {
                yield return new(nameof(Device.Activate), $"{f} {n}", b => b.Device.Activate(f, Argument(b, positive, n), b.Output(n)));
                yield return new(nameof(Device.ActivateGradient), $"{f} {n}", b => b.Device.ActivateGradient(f, Argument(b, positive, n), b.Normal(n), b.Output(n)));
                yield return new(nameof(Device.Gate), $"{f} {n}", b => b.Device.Gate(f, Argument(b, positive, n), b.Normal(n), b.Output(n)));
                yield return new(nameof(Device.GateGradient), $"{f} {n}", b =>
                    b.Device.GateGradient(f, Argument(b, positive, n), b.Normal(n), b.Normal(n), b.Output(n), b.Output(n)));
            }
            foreach (float v in (float[])[float.NaN, float.PositiveInfinity, float.NegativeInfinity])
                yield return new(nameof(Device.Activate), $"{f} of {v}", b => b.Device.Activate(f, b.Of([v], 1), b.Output(1)));
            foreach (float v in values)
            {
                // One value at a time: the tolerance is in parts of its own size.
                yield return new(nameof(Device.Activate), $"{f} of {v}", b => b.Device.Activate(f, b.Of([v], 1), b.Output(1)));
                yield return new(nameof(Device.ActivateGradient), $"{f} of {v}", b => b.Device.ActivateGradient(f, b.Of([v], 1), b.Of([1], 1), b.Output(1)));
            }
        }
    }

    private static Tensor Argument(Bench b, bool positive, int n)
    {
        Tensor x = b.Normal(n);
        return positive ? b.Of([.. x.ToArray().Select(v => (v * v) + 0.01f)], n) : x;
    }

    private static IEnumerable<DeviceCase> Moves()
    {
        DType[] types = [DType.F32, DType.BF16, DType.F16];
        foreach (int n in Counts)
        {
            foreach (DType from in types)
            {
                foreach (DType to in types)
                {
                    yield return new(nameof(Device.Convert), $"{n} {from} to {to}", b =>
                    {
                        Tensor y = b.Output(to, n);
                        b.Device.Convert(b.Of(b.Normal(n).ToArray(), from, n), y);
                        ReferenceDevice.Instance.Convert(y, b.Output(n));
                    }, 0);
                }
            }
        }
        foreach ((int rows, int columns) in Tables)
        {
            foreach (bool add in new[] { false, true })
            {
                yield return new(nameof(Device.CopyColumns), $"({rows}, {columns}){(add ? ", added" : "")}", b =>
                    b.Device.CopyColumns(b.Normal(rows, columns + 7), 3, b.Updated(rows, columns + 4), 2, columns, add));
            }
            yield return new(nameof(Device.SwapAxes), $"({rows}, {columns}, 1)", b => b.Device.SwapAxes(b.Normal(rows, columns), b.Output(columns, rows), rows, columns, 1));
            yield return new(nameof(Device.PutRows), $"({rows}, {columns})", b =>
                b.Device.PutRows(b.Normal(rows, columns), b.Workspace.From([.. Enumerable.Range(0, rows).Select(i => rows + 1 - i)]), b.Updated(rows + 2, columns)));
            foreach (DType type in types)
            {
                if (rows * columns < 10_000 || type == DType.F32)
                {
                    yield return new(nameof(Device.Gather), $"{type} ({rows}, {columns})", b =>
                        b.Device.Gather(b.Of(b.Normal(9, columns).ToArray(), type, 9, columns), b.Integers(rows, 0, 9), b.Output(rows, columns)));
                }
            }
            yield return new(nameof(Device.ScatterAdd), $"({rows}, {columns})", b =>
                b.Device.ScatterAdd(b.Normal(rows, columns), b.Integers(rows, -1, 9), b.Updated(9, columns)), 1e-5);
        }
        foreach ((int a, int b, int c) in new[] { (2, 3, 4), (0, 3, 4), (3, 0, 4), (3, 4, 0), (5, 7, 17), (33, 65, 31), (1, 300, 100) })
            yield return new(nameof(Device.SwapAxes), $"({a}, {b}, {c})", x => x.Device.SwapAxes(x.Normal(a, b, c), x.Output(b, a, c), a, b, c));
        yield return new(nameof(Device.PutRows), "of several axes", b =>
            b.Device.PutRows(b.Normal(3, 2, 5), b.Workspace.From([4, 0, 2]), b.Updated(3, 2, 2, 5)));
    }

    private static IEnumerable<DeviceCase> Reductions()
    {
        foreach (int n in (int[])[.. Counts, 200_017])
        {
            yield return new(nameof(Device.Sum), $"{n}", b => b.Report(b.Device.Sum(b.Normal(n))));
            yield return new(nameof(Device.SumOfSquares), $"{n}", b => b.Report(b.Device.SumOfSquares(b.Normal(n))));
            yield return new(nameof(Device.SumOfSquares), $"{n} and others", b => b.Report(b.Device.SumOfSquares(b.Normal(70_000), b.Normal(n), b.Normal(5))));
        }
        foreach ((int rows, int columns) in Tables)
        {
            yield return new(nameof(Device.SumRows), $"({rows}, {columns})", b => b.Device.SumRows(b.Normal(rows, columns), b.Output(columns), false), 1e-5);
            yield return new(nameof(Device.SumRows), $"({rows}, {columns}), added", b => b.Device.SumRows(b.Normal(rows, columns), b.Updated(columns), true), 1e-5);
            yield return new(nameof(Device.ScaleRows), $"({rows}, {columns})", b => b.Device.ScaleRows(b.Normal(rows, columns), b.Normal(rows), b.Output(rows, columns)));
            yield return new(nameof(Device.RowDots), $"({rows}, {columns})", b => b.Device.RowDots(b.Normal(rows, columns), b.Normal(rows, columns), b.Output(rows)));
        }
    }

    private static IEnumerable<DeviceCase> Products()
    {
        (int M, int N, int K)[] sizes =
        [
            (1, 1, 1), (0, 5, 3), (5, 0, 3), (5, 3, 0), (3, 4, 7), (1, 33, 17), (8, 16, 31), (17, 15, 8), (4, 65, 64), (31, 7, 33), (65, 64, 16), (97, 101, 130),
        ];
        foreach ((int m, int n, int k) in sizes)
        {
            foreach (bool a in new[] { false, true })
            {
                foreach (bool b in new[] { false, true })
                {
                    string how = $"({m}, {n}, {k}) {(a ? "Aᵀ" : "A")}·{(b ? "Bᵀ" : "B")}";
                    yield return Product(how, m, n, k, t => t with { TransposeA = a, TransposeB = b });
                    yield return Product($"{how} three times, added", m, n, k, t => t with { TransposeA = a, TransposeB = b, Accumulate = true }, batch: 3);
                    yield return Product($"{how} with bias, added", m, n, k, t => t with { TransposeA = a, TransposeB = b, Accumulate = true }, bias: true);
                    yield return Product($"{how} rounded", m, n, k, t => t with { TransposeA = a, TransposeB = b, Precision = Precision.BF16 }, bias: true);
                    foreach (DType type in new[] { DType.BF16, DType.F16 })
                        yield return Product($"{how} {type}", m, n, k, t => t with { TransposeA = a, TransposeB = b }, type: type);
                }
            }
        }
    }

    private static IEnumerable<DeviceCase> FinishedProducts()
    {
        // The last ones have several blocks of k.
        (int M, int N, int K)[] sizes = [(1, 1, 1), (0, 5, 3), (5, 0, 3), (5, 3, 0), (1, 33, 17), (8, 40, 64), (17, 15, 8), (31, 70, 33), (65, 64, 32), (3, 40, 600), (70, 97, 1100)];
        foreach ((int m, int n, int k) in sizes)
        {
            foreach (Precision precision in (Precision[])[Precision.F32, Precision.BF16])
            {
                string how = $"({m}, {n}, {k}) {precision}";
                // Products of this size, so that activations are not all at their ends.
                MatMulTask Scaled(MatMulTask t) => t with { Precision = precision, A = Small(t.A, k), TransposeB = n % 2 == 0 };
                yield return Finished($"{how} with a residual", m, n, k, Scaled, (b, axes) => Epilogue.Residual(b.Normal(axes)), bias: true);
                yield return Finished($"{how} three times with a residual, added", m, n, k, t => Scaled(t) with { Accumulate = true }, (b, axes) => Epilogue.Residual(b.Normal(axes)), batch: 3);
                foreach (Activation f in new[] { Activation.Gelu, Activation.GeluTanh, Activation.Silu, Activation.Relu, Activation.Tanh, Activation.Sigmoid, Activation.Mish })
                {
                    yield return Finished($"{how}, {f}", m, n, k, Scaled, (_, _) => Epilogue.Activate(f), bias: true);
                    yield return Finished($"{how} twice, {f} with the sums", m, n, k, Scaled, (b, axes) => Epilogue.Activate(f, b.Output(axes)), batch: 2);
                    yield return Finished($"{how}, slope of {f}", m, n, k, t => Scaled(t) with { TransposeA = true }, (b, axes) => Epilogue.Slope(f, b.Normal(axes)));
                }
            }
        }
    }

    private static Tensor Small(Tensor x, int k)
    {
        foreach (ref float v in x.Span())
            v /= MathF.Sqrt(Math.Max(1, k));
        return x;
    }

    private static DeviceCase Finished(
        string variant, int m, int n, int k, Func<MatMulTask, MatMulTask> change, Func<Bench, int[], Epilogue> epilogue, int batch = 1, bool bias = false) =>
        new(nameof(Device.MatMul), variant, b =>
        {
            Tensor left = b.Workspace.From(b.Normal(batch, m, k).Span(), new Shape(batch, m, k)), right = b.Normal(batch, k, n);
            MatMulTask task = change(new MatMulTask(left, right, b.Updated(batch, m, n), m, n, k)) with { Batch = batch, Epilogue = epilogue(b, [batch, m, n]) };
            b.Device.MatMul(task with { Bias = bias ? b.Normal(n) : null });
        }, 1e-5);

    private static DeviceCase Product(string variant, int m, int n, int k, Func<MatMulTask, MatMulTask> change, int batch = 1, bool bias = false, DType type = DType.F32) =>
        new(nameof(Device.MatMul), variant, b =>
        {
            Tensor left = b.Normal(batch, m, k), right = b.Normal(batch, k, n);
            if (type != DType.F32)
                right = b.Of(right.ToArray(), type, batch, k, n);
            MatMulTask task = change(new MatMulTask(left, right, b.Updated(batch, m, n), m, n, k)) with { Batch = batch };
            b.Device.MatMul(task with { Bias = bias ? b.Normal(n) : null });
        }, 1e-5);
}
