using Gradus.Nn;

namespace Gradus.Adapters;

/// <summary>A parameter that starts out with given values.</summary>
internal sealed record GivenInit(float[] Values) : Init
{
    public override void Fill(Span<float> values, ulong key) => Values.CopyTo(values);
}
