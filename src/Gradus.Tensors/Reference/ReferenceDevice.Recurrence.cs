namespace Gradus.Tensors;

public sealed unsafe partial class ReferenceDevice
{
    /// <inheritdoc/>
    public override void RecurrentCell(in RecurrentCellTask task)
    {
        int units = task.Hidden.Shape.Columns;
        for (long b = 0; b < task.Hidden.Shape.Rows; b++)
        {
            float* x = task.X.Floats + (b * task.X.Shape.Columns), r = task.R.Floats + (b * task.R.Shape.Columns), kept = task.Kept.Floats + (b * 4 * units);
            for (int u = 0; u < units; u++)
            {
                int first = u, second = units + u, third = (2 * units) + u, fourth = (3 * units) + u;
                double state = task.State.Floats[(b * units) + u];
                if (task.Cell == Tensors.RecurrentCell.Lstm)
                {
                    double i = Sigmoid((double)x[first] + r[first]), f = Sigmoid((double)x[second] + r[second]);
                    double g = Math.Tanh((double)x[third] + r[third]), o = Sigmoid((double)x[fourth] + r[fourth]);
                    double c = (f * state) + (i * g);
                    task.Memory!.Floats[(b * units) + u] = (float)c;
                    task.Hidden.Floats[(b * units) + u] = (float)(o * Math.Tanh(c));
                    (kept[first], kept[second], kept[third], kept[fourth]) = ((float)i, (float)f, (float)g, (float)o);
                }
                else
                {
                    double reset = Sigmoid((double)x[first] + r[first]), z = Sigmoid((double)x[second] + r[second]);
                    double n = Math.Tanh(x[third] + (reset * r[third]));
                    task.Hidden.Floats[(b * units) + u] = (float)(((1 - z) * n) + (z * state));
                    (kept[first], kept[second], kept[third], kept[fourth]) = ((float)reset, (float)z, (float)n, r[third]);
                }
            }
        }
    }

    /// <inheritdoc/>
    public override void RecurrentCellGradient(in RecurrentCellGradientTask task)
    {
        int units = task.DHidden.Shape.Columns;
        for (long b = 0; b < task.DHidden.Shape.Rows; b++)
        {
            float* dx = task.DX.Floats + (b * task.DX.Shape.Columns), dr = task.DR.Floats + (b * task.DR.Shape.Columns), kept = task.Kept.Floats + (b * 4 * units);
            for (int u = 0; u < units; u++)
            {
                int first = u, second = units + u, third = (2 * units) + u, fourth = (3 * units) + u;
                long at = (b * units) + u;
                double state = task.State.Floats[at], dh = task.DHidden.Floats[at];
                if (task.Cell == Tensors.RecurrentCell.Lstm)
                {
                    double i = kept[first], f = kept[second], g = kept[third], o = kept[fourth], t = Math.Tanh(task.Memory!.Floats[at]);
                    double dc = task.DState.Floats[at] + (dh * o * (1 - (t * t)));
                    dx[first] = (float)(dc * g * i * (1 - i));
                    dx[second] = (float)(dc * state * f * (1 - f));
                    dx[third] = (float)(dc * i * (1 - (g * g)));
                    dx[fourth] = (float)(dh * t * o * (1 - o));
                    task.DState.Floats[at] = (float)(dc * f);
                }
                else
                {
                    double reset = kept[first], z = kept[second], n = kept[third], rn = kept[fourth];
                    double dn = dh * (1 - z) * (1 - (n * n));
                    dx[first] = dr[first] = (float)(dn * rn * reset * (1 - reset));
                    dx[second] = dr[second] = (float)(dh * (state - n) * z * (1 - z));
                    dx[third] = (float)dn;
                    dr[third] = (float)(dn * reset);
                    task.DState.Floats[at] = (float)(dh * z);
                }
            }
        }
    }

    private static double Sigmoid(double x) => 1 / (1 + Math.Exp(-x));
}
