using Gradus.Tensors;

namespace Gradus.Training;

/// <summary>Norms of gradients, and clipping by them (Pascanu et al., "On the Difficulty of Training Recurrent Neural Networks", 2013).</summary>
public static class Gradients
{
    /// <summary>The norm of all gradients together, (Σ|g|ᵖ)^(1/p).</summary>
    /// <param name="parameters">Parameters, with gradients or without.</param>
    /// <param name="p">p ≥ 1; 0 (or infinity) for the largest size of an element.</param>
    public static double Norm(IEnumerable<Parameter> parameters, double p = 2)
    {
        Tensor[] gradients = [.. parameters.Select(q => q.Gradient).OfType<Tensor>()];
        if (gradients.Length == 0)
            return 0;
        if (p == 2)
            return Math.Sqrt(gradients[0].Device.SumOfSquares(gradients));
        double sum = 0;
        foreach (Tensor gradient in gradients)
        {
            foreach (float g in gradient.Values())
            {
                double size = Math.Abs((double)g);
                sum = p == 0 || double.IsPositiveInfinity(p) ? (size > sum || double.IsNaN(size) ? size : sum)
                    : sum + (p == 1 ? size : Math.Pow(size, p));
            }
        }
        return p is 0 or 1 || double.IsPositiveInfinity(p) ? sum : Math.Pow(sum, 1 / p);
    }

    /// <summary>The factor that brings gradients of a norm down to the largest allowed; 1 where they are smaller.</summary>
    public static float ClipScale(double norm, double largest) => (float)Math.Min(1, largest / (norm + 1e-6));
}
