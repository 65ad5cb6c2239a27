namespace Gradus.Tensors.Tests;

internal static partial class DeviceCases
{
    private static IEnumerable<DeviceCase> RowWise()
    {
        foreach ((int rows, int columns) in Tables)
        {
            string size = $"({rows}, {columns})";
            foreach (bool log in new[] { false, true })
            {
                string how = size + (log ? ", logarithm" : "");
                yield return new(nameof(Device.Softmax), how, b => b.Device.Softmax(b.Normal(rows, columns), b.Output(rows, columns), log));
                yield return new(nameof(Device.SoftmaxGradient), how, b =>
                {
                    Tensor y = b.Workspace.Empty(new Shape(rows, columns));
                    ReferenceDevice.Instance.Softmax(b.Normal(rows, columns), y, log);
                    b.Device.SoftmaxGradient(b.Of(y.ToArray(), rows, columns), b.Normal(rows, columns), b.Output(rows, columns), log);
                }, 1e-5);
            }
            yield return new(nameof(Device.LogSumExp), size, b => b.Device.LogSumExp(b.Normal(rows, columns), b.Output(rows)));
            yield return new(nameof(Device.LogSumExpGradient), size, b => b.Device.LogSumExpGradient(b.Normal(rows, columns), b.Normal(rows), b.Normal(rows), b.Output(rows, columns)));
            int classes = Math.Max(columns, 0);
            yield return new(nameof(Device.CrossEntropy), size, b =>
                b.Device.CrossEntropy(new CrossEntropyTask(b.Normal(rows, columns), b.Integers(rows, -1, classes), b.Output(rows), b.Output(rows))));
            yield return new(nameof(Device.CrossEntropy), size + ", blocks of columns", b => InBlocks(b, rows, columns));
            yield return new(nameof(Device.CrossEntropyGradient), size, b =>
                b.Device.CrossEntropyGradient(b.Normal(rows, columns), b.Integers(rows, -1, classes), b.Normal(rows), b.Normal(rows), b.Output(rows, columns), 0));
            yield return new(nameof(Device.CrossEntropyGradient), size + ", a block of columns", b =>
                b.Device.CrossEntropyGradient(b.Normal(rows, columns), b.Integers(rows, -1, 2 * classes), b.Normal(rows), b.Normal(rows), b.Output(rows, columns), classes / 2));
            yield return new(nameof(Device.CrossEntropyGradient), size + ", in the memory of the logits", b =>
            {
                Tensor z = b.Updated(rows, columns);
                b.Device.CrossEntropyGradient(z, b.Integers(rows, -1, classes), b.Normal(rows), b.Normal(rows), z, 0);
            });
        }
        float inf = float.PositiveInfinity;
        foreach (int columns in new[] { 5, 16, 33 })
        {
            foreach ((string name, Action<float[]> change) in new (string, Action<float[]>)[]
            {
                ("large values", r => Array.ConvertAll(r, v => v * 3e4f).CopyTo(r, 0)),
                ("masked values", r => r[0] = r[^1] = r[columns / 2] = -inf),
                ("one value that is not masked", r => Array.ConvertAll(r, _ => -inf)[1..].CopyTo(r, 0)),
                ("nothing but masked values", r => Array.Fill(r, -inf)),
                ("a NaN among numbers", r => r[1] = float.NaN),
                ("a NaN at the end", r => r[^1] = float.NaN),
            })
            {
                Tensor Row(Bench b)
                {
                    float[] row = b.Normal(columns).ToArray();
                    change(row);
                    return b.Of(row, 1, columns);
                }

                yield return new(nameof(Device.Softmax), $"{name}, {columns}", b => b.Device.Softmax(Row(b), b.Output(1, columns), false));
                yield return new(nameof(Device.Softmax), $"{name}, {columns}, logarithm", b => b.Device.Softmax(Row(b), b.Output(1, columns), true));
                yield return new(nameof(Device.LogSumExp), $"{name}, {columns}", b => b.Device.LogSumExp(Row(b), b.Output(1)));
                yield return new(nameof(Device.CrossEntropy), $"{name}, {columns}", b => b.Device.CrossEntropy(new CrossEntropyTask(Row(b), b.Workspace.From([3]), b.Output(1), b.Output(1))));
                if (!name.Contains("masked", StringComparison.Ordinal))
                {
                    yield return new(nameof(Device.LayerNorm), $"{name}, {columns}", b => b.Device.LayerNorm(Row(b), null, null, 1e-5f, b.Output(1, columns), b.Output(1), b.Output(1)), 1e-5);
                    yield return new(nameof(Device.RmsNorm), $"{name}, {columns}", b => b.Device.RmsNorm(Row(b), null, 0, 1e-5f, b.Output(1, columns), b.Output(1)));
                    yield return new(nameof(Device.SumOfSquares), $"{name}, {columns}", b => b.Report(b.Device.SumOfSquares(Row(b))));
                    yield return new(nameof(Device.Sum), $"{name}, {columns}", b => b.Report(b.Device.Sum(Row(b))));
                }
            }
        }
    }

    // Two whole blocks of columns, then the columns of the case.
    private static void InBlocks(Bench b, int rows, int columns)
    {
        const int unit = CrossEntropyTask.BlockColumns;
        Tensor targets = b.Integers(rows, -1, (2 * unit) + columns), losses = b.Output(rows), lse = b.Output(rows), state = b.Output(DType.F32, rows, 2);
        if ((long)rows * unit > 1 << 20)
            (rows, columns) = (0, 0);
        b.Device.CrossEntropy(new CrossEntropyTask(b.Normal(rows, 2 * unit), targets, losses, lse) { State = state, Last = columns == 0 });
        if (columns > 0)
            b.Device.CrossEntropy(new CrossEntropyTask(b.Normal(rows, columns), targets, losses, lse) { State = state, FirstColumn = 2 * unit });
    }

    private static IEnumerable<DeviceCase> Norms()
    {
        foreach ((int rows, int columns) in Tables.Where(t => t.Columns > 0))
        {
            foreach ((bool weight, bool bias) in new[] { (true, true), (true, false), (false, true), (false, false) })
            {
                string how = $"({rows}, {columns}){(weight ? ", weight" : "")}{(bias ? ", bias" : "")}";
                yield return new(nameof(Device.LayerNorm), how, b => b.Device.LayerNorm(
                    b.Normal(rows, columns), weight ? b.Normal(columns) : null, bias ? b.Normal(columns) : null, 1e-3f, b.Output(rows, columns), b.Output(rows), b.Output(rows)), 1e-5);
                yield return new(nameof(Device.LayerNormGradient), how, b => b.Device.LayerNormGradient(
                    new NormGradientTask(b.Normal(rows, columns), b.Normal(rows), b.Normal(rows, columns), weight || !bias ? b.Output(rows, columns) : null)
                    {
                        Mean = b.Normal(rows),
                        Weight = weight ? b.Normal(columns) : null,
                        DWeight = weight ? b.Output(columns) : null,
                        DBias = bias ? b.Updated(columns) : null,
                        AccumulateBias = bias,
                    }), 1e-5);
            }
            foreach (float? offset in new float?[] { null, 0, 1 })
            {
                string how = $"({rows}, {columns}){(offset is { } o ? $", weight + {o}" : "")}";
                yield return new(nameof(Device.RmsNorm), how, b => b.Device.RmsNorm(
                    b.Normal(rows, columns), offset is null ? null : b.Normal(columns), offset ?? 0, 1e-3f, b.Output(rows, columns), b.Output(rows)), 1e-5);
                yield return new(nameof(Device.RmsNormGradient), how, b => b.Device.RmsNormGradient(
                    new NormGradientTask(b.Normal(rows, columns), b.Normal(rows), b.Normal(rows, columns), offset == 0 ? null : b.Output(rows, columns))
                    {
                        Weight = offset is null ? null : b.Normal(columns),
                        WeightOffset = offset ?? 0,
                        DWeight = offset is null ? null : offset == 1 ? b.Updated(columns) : b.Output(columns),
                        AccumulateWeight = offset == 1,
                    }), 1e-5);
            }
        }
    }

    private static IEnumerable<DeviceCase> Rotations()
    {
        foreach ((int tokens, int heads, int d, int turned) in new[] { (5, 2, 6, 6), (0, 2, 6, 6), (3, 0, 6, 6), (1, 1, 2, 2), (7, 3, 34, 34), (4, 2, 34, 30), (3, 2, 65, 64), (2, 1, 5, 0), (300, 4, 16, 16) })
        {
            foreach ((bool interleaved, bool inverse) in new[] { (false, false), (false, true), (true, false), (true, true) })
            {
                yield return new(nameof(Device.Rotate), $"({tokens}, {heads}, {d}), {turned} turned{(interleaved ? ", neighbours" : "")}{(inverse ? ", backwards" : "")}", b =>
                    b.Device.Rotate(new RotaryTask(
                        b.Normal(tokens, heads, d), b.Normal(9, turned / 2), b.Normal(9, turned / 2), b.Integers(tokens, 0, 9), b.Output(tokens, heads, d), interleaved, inverse)));
            }
        }
    }
}
