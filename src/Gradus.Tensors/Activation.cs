namespace Gradus.Tensors;

/// <summary>Element-wise functions f: ℝ → ℝ. The names are those of Hugging Face configurations.</summary>
public enum Activation
{
    /// <summary>x.</summary>
    Identity,

    /// <summary>max(x, 0).</summary>
    Relu,

    /// <summary>max(x, 0)².</summary>
    Relu2,

    /// <summary>min(max(x, 0), 6).</summary>
    Relu6,

    /// <summary>x for x ≥ 0, else x/100.</summary>
    LeakyRelu,

    /// <summary>x for x ≥ 0, else eˣ − 1.</summary>
    Elu,

    /// <summary>x · Φ(x) = x/2 · (1 + erf(x/√2)).</summary>
    Gelu,

    /// <summary>x/2 · (1 + tanh(√(2/π)(x + 0.044715x³))), also called gelu_new, gelu_pytorch_tanh and gelu_fast.</summary>
    GeluTanh,

    /// <summary>x · σ(1.702x).</summary>
    QuickGelu,

    /// <summary>x · σ(x), also called swish.</summary>
    Silu,

    /// <summary>1/(1 + e⁻ˣ).</summary>
    Sigmoid,

    /// <summary>log σ(x).</summary>
    LogSigmoid,

    /// <summary>tanh x.</summary>
    Tanh,

    /// <summary>x · tanh(softplus(x)).</summary>
    Mish,

    /// <summary>log(1 + eˣ).</summary>
    Softplus,

    /// <summary>x/(1 + |x|).</summary>
    Softsign,

    /// <summary>½ · (1 + erf((x − √½)/(√2 · 0.282095))), the Laplace approximation of squared ReLU.</summary>
    Laplace,

    /// <summary>erf x.</summary>
    Erf,

    /// <summary>eˣ.</summary>
    Exp,

    /// <summary>log x.</summary>
    Log,

    /// <summary>x².</summary>
    Square,

    /// <summary>√x.</summary>
    Sqrt,
}

/// <summary>Activations by their names in Hugging Face configurations, and their formulas.</summary>
public static class Activations
{
    private static readonly Dictionary<string, Activation> ByName = new(StringComparer.Ordinal)
    {
        ["linear"] = Activation.Identity,
        ["relu"] = Activation.Relu,
        ["relu2"] = Activation.Relu2,
        ["relu6"] = Activation.Relu6,
        ["leaky_relu"] = Activation.LeakyRelu,
        ["elu"] = Activation.Elu,
        ["gelu"] = Activation.Gelu,
        ["gelu_python"] = Activation.Gelu,
        ["gelu_new"] = Activation.GeluTanh,
        ["gelu_accurate"] = Activation.GeluTanh,
        ["gelu_fast"] = Activation.GeluTanh,
        ["gelu_pytorch_tanh"] = Activation.GeluTanh,
        ["quick_gelu"] = Activation.QuickGelu,
        ["silu"] = Activation.Silu,
        ["swish"] = Activation.Silu,
        ["sigmoid"] = Activation.Sigmoid,
        ["logsigmoid"] = Activation.LogSigmoid,
        ["tanh"] = Activation.Tanh,
        ["mish"] = Activation.Mish,
        ["softplus"] = Activation.Softplus,
        ["softsign"] = Activation.Softsign,
        ["laplace"] = Activation.Laplace,
        ["erf"] = Activation.Erf,
    };

    /// <summary>The activation that a configuration names.</summary>
    /// <exception cref="NotSupportedException">The name is unknown; the message lists the known ones.</exception>
    public static Activation Parse(string name) => ByName.TryGetValue(name, out Activation activation)
        ? activation
        : throw new NotSupportedException($"Unknown activation \"{name}\"; known are {string.Join(", ", ByName.Keys.Order(StringComparer.Ordinal))}.");

    /// <summary>Whether there is an activation of a name.</summary>
    public static bool IsKnown(string name) => ByName.ContainsKey(name);

    /// <summary>f(x) in double precision: the specification that every kernel is held to.</summary>
    public static double Apply(this Activation f, double x) => f switch
    {
        Activation.Identity => x,
        Activation.Relu => Math.Max(x, 0),
        Activation.Relu2 => Math.Max(x, 0) * Math.Max(x, 0),
        Activation.Relu6 => Math.Min(Math.Max(x, 0), 6),
        Activation.LeakyRelu => x >= 0 ? x : 0.01 * x,
        Activation.Elu => x >= 0 ? x : Math.Exp(x) - 1,
        Activation.Gelu => 0.5 * x * Erfc(-x * Math.Sqrt(0.5)),
        Activation.GeluTanh => x * Sigmoid(2 * GeluInner(x)),
        Activation.QuickGelu => x * Sigmoid(1.702 * x),
        Activation.Silu => x * Sigmoid(x),
        Activation.Sigmoid => Sigmoid(x),
        Activation.LogSigmoid => -Softplus(-x),
        Activation.Tanh => Math.Tanh(x),
        Activation.Mish => x * Math.Tanh(Softplus(x)),
        Activation.Softplus => Softplus(x),
        Activation.Softsign => x / (1 + Math.Abs(x)),
        Activation.Laplace => 0.5 * Erfc(-(x - LaplaceMean) / (LaplaceSigma * Math.Sqrt(2))),
        Activation.Erf => Erf(x),
        Activation.Exp => Math.Exp(x),
        Activation.Log => Math.Log(x),
        Activation.Square => x * x,
        Activation.Sqrt => Math.Sqrt(x),
        _ => throw new ArgumentOutOfRangeException(nameof(f), f, null),
    };

    /// <summary>f′(x) in double precision.</summary>
    public static double Derivative(this Activation f, double x)
    {
        switch (f)
        {
            case Activation.Identity:
                return 1;
            case Activation.Relu:
                return x > 0 ? 1 : 0;
            case Activation.Relu2:
                return x > 0 ? 2 * x : 0;
            case Activation.Relu6:
                return x is > 0 and < 6 ? 1 : 0;
            case Activation.LeakyRelu:
                return x > 0 ? 1 : 0.01;
            case Activation.Elu:
                return x >= 0 ? 1 : Math.Exp(x);
            case Activation.Gelu:
                return (0.5 * Erfc(-x * Math.Sqrt(0.5))) + (x * Math.Exp(-0.5 * x * x) / Math.Sqrt(2 * Math.PI));
            case Activation.GeluTanh:
                {
                    double s = Sigmoid(2 * GeluInner(x));
                    return s + (x * s * (1 - s) * 2 * Math.Sqrt(2 / Math.PI) * (1 + (3 * 0.044715 * x * x)));
                }

            case Activation.QuickGelu:
                {
                    double s = Sigmoid(1.702 * x);
                    return s + (1.702 * x * s * (1 - s));
                }

            case Activation.Silu:
                {
                    double s = Sigmoid(x);
                    return s + (x * s * (1 - s));
                }

            case Activation.Sigmoid:
                return Sigmoid(x) * (1 - Sigmoid(x));
            case Activation.LogSigmoid:
                return Sigmoid(-x);
            case Activation.Tanh:
                return 1 - (Math.Tanh(x) * Math.Tanh(x));
            case Activation.Mish:
                {
                    double t = Math.Tanh(Softplus(x));
                    return t + (x * (1 - (t * t)) * Sigmoid(x));
                }

            case Activation.Softplus:
                return Sigmoid(x);
            case Activation.Softsign:
                return 1 / ((1 + Math.Abs(x)) * (1 + Math.Abs(x)));
            case Activation.Laplace:
                {
                    double z = (x - LaplaceMean) / LaplaceSigma;
                    return Math.Exp(-0.5 * z * z) / (LaplaceSigma * Math.Sqrt(2 * Math.PI));
                }

            case Activation.Erf:
                return 2 / Math.Sqrt(Math.PI) * Math.Exp(-x * x);
            case Activation.Exp:
                return Math.Exp(x);
            case Activation.Log:
                return 1 / x;
            case Activation.Square:
                return 2 * x;
            case Activation.Sqrt:
                return 0.5 / Math.Sqrt(x);
            default:
                throw new ArgumentOutOfRangeException(nameof(f), f, null);
        }
    }

    private const double LaplaceMean = 0.707107;
    private const double LaplaceSigma = 0.282095;

    private static double GeluInner(double x) => Math.Sqrt(2 / Math.PI) * (x + (0.044715 * x * x * x));

    private static double Sigmoid(double x) => x >= 0 ? 1 / (1 + Math.Exp(-x)) : Math.Exp(x) / (1 + Math.Exp(x));

    private static double Softplus(double x) => Math.Max(x, 0) + Math.Log(1 + Math.Exp(-Math.Abs(x)));

    private static double Erf(double x)
    {
        if (Math.Abs(x) >= 2)
            return 1 - Erfc(x);
        // Maclaurin series: 2/√π Σ (−1)ⁿ x²ⁿ⁺¹ / (n! (2n + 1)).
        double term = x, sum = x;
        for (int n = 1; n < 60; n++)
        {
            term *= -x * x / n;
            sum += term / ((2 * n) + 1);
        }
        return 2 / Math.Sqrt(Math.PI) * sum;
    }

    private static double Erfc(double x)
    {
        if (x < 0)
            return 2 - Erfc(-x);
        if (x < 2)
            return 1 - Erf(x);
        if (x > 27)
            return 0;
        // Continued fraction of the scaled complement, evaluated from the far end (Abramowitz and Stegun 7.1.14).
        double f = x;
        for (int n = 120; n >= 1; n--)
            f = x + (n * 0.5 / f);
        return Math.Exp(-x * x) / (Math.Sqrt(Math.PI) * f);
    }
}
