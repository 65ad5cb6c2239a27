namespace Gradus.Tensors.Tests;

internal static partial class DeviceCases
{
    private static IEnumerable<DeviceCase> Recurrences()
    {
        foreach (RecurrentCell cell in Enum.GetValues<RecurrentCell>())
        {
            bool lstm = cell == RecurrentCell.Lstm;
            foreach ((int rows, int units) in Tables.Where(t => t.Columns > 0))
            {
                int width = cell.Gates() * units;
                yield return new(nameof(Device.RecurrentCell), $"{cell} {rows} × {units}", b => b.Device.RecurrentCell(new RecurrentCellTask(
                    cell, b.Normal(rows, width), b.Normal(rows, width), b.Normal(rows, units), b.Output(rows, units), lstm ? b.Output(rows, units) : null, b.Output(rows, 4 * units))));
                yield return new(nameof(Device.RecurrentCellGradient), $"{cell} {rows} × {units}", b =>
                {
                    Tensor dx = b.Output(rows, width);
                    b.Device.RecurrentCellGradient(new RecurrentCellGradientTask(
                        cell, b.Normal(rows, units), lstm ? b.Normal(rows, units) : null, b.Normal(rows, 4 * units), b.Normal(rows, units), b.Updated(rows, units), dx, lstm ? dx : b.Output(rows, width)));
                }, 1e-5);
            }
        }
    }
}
