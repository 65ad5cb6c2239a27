using System.Text.Json;
using Gradus.Cli.Reports;

namespace Gradus.Cli.Tests.Reports;

public sealed class CurveTests
{
    [Fact]
    public void ThinningKeepsEndsExtremesAndGaps()
    {
        double[] values = [.. Enumerable.Range(0, 50_000).Select(i => Math.Sin(i * 0.7))];
        values[12_345] = 99;
        values[23_456] = -99;
        values[34_567] = double.NaN;
        Curve thinned = new Curve([.. Enumerable.Range(1, values.Length).Select(step => (long)step)], values).Thinned();
        Assert.InRange(thinned.Steps.Length, 1000, Curve.MostPoints + 3);
        Assert.Equal([1L, 50_000L], [thinned.Steps[0], thinned.Steps[^1]]);
        Assert.Equal(99, thinned.Values[Array.IndexOf(thinned.Steps, 12_346L)]);
        Assert.Equal(-99, thinned.Values[Array.IndexOf(thinned.Steps, 23_457L)]);
        Assert.Equal(double.NaN, thinned.Values[Array.IndexOf(thinned.Steps, 34_568L)]);
        Assert.Equal(thinned.Steps.Order(), thinned.Steps);
    }

    [Fact]
    public void ShortCurvesAreNotThinned()
    {
        Curve curve = new([.. Enumerable.Range(0, Curve.MostPoints).Select(step => (long)step)], new double[Curve.MostPoints]);
        Assert.Same(curve, curve.Thinned());
    }

    [Fact]
    public void SmoothingIsTheMeanAroundAPoint()
    {
        double[] values = [.. Enumerable.Range(0, 200).Select(i => i % 2 == 0 ? 1.0 : 3.0)];
        values[100] = double.NaN;
        Curve smoothed = new Curve([.. Enumerable.Range(0, 200).Select(step => (long)step)], values).Smoothed();
        // The window is 200 / 40 made odd: five values.
        Assert.Equal((1 + 3 + 1 + 3 + 1) / 5.0, smoothed.Values[50], 12);
        Assert.Equal((1 + 3 + 1 + 3) / 4.0, smoothed.Values[98], 12);
        Assert.Equal(double.NaN, smoothed.Values[100]);
        Assert.Equal(1, smoothed.Values[0]);
        Assert.Equal((3 + 1 + 3) / 3.0, smoothed.Values[199], 12);
    }

    [Fact]
    public void OneHugeValueDoesNotSpoilTheMeansAfterIt()
    {
        double[] values = [.. Enumerable.Repeat(2.0, 400)];
        values[10] = 1e30;
        Assert.Equal(2.0, new Curve([.. Enumerable.Range(0, 400).Select(step => (long)step)], values).Smoothed().Values[300]);
    }

    [Fact]
    public void ChartDataCannotEndItsScriptElement()
    {
        Curve curve = new([1, 2, 3], [0.5, double.NaN, 1e-9]);
        string json = Chart.Json([new Chart("</script>", "g", "<!--", "number", true, [new ChartSeries("</script><script>", SeriesRole.Trend, curve)])]);
        Assert.DoesNotContain('<', json);
        JsonElement series = JsonDocument.Parse(json).RootElement[0].GetProperty("series")[0];
        Assert.Equal("</script><script>", series.GetProperty("label").GetString());
        Assert.Equal(JsonValueKind.Null, series.GetProperty("y")[1].ValueKind);
        Assert.Equal(1e-9, series.GetProperty("y")[2].GetDouble());
    }
}
