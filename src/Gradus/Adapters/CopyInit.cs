using Gradus.Nn;
using Gradus.Tensors;

namespace Gradus.Adapters;

/// <summary>A parameter that starts out as a copy of a tensor, widened to F32.</summary>
internal sealed record CopyInit(Tensor Source) : Init
{
    public override void Fill(Span<float> values, ulong key)
    {
        using Workspace scratch = new(Source.Device);
        scratch.Adopt(Source).ToF32().Values().CopyTo(values);
    }
}
