// Elementary functions over lanes, written once. Method: argument reduction to a short interval, then a polynomial whose coefficients
// were fitted for this project (Chebyshev interpolation at 40 digits, rounded to float). Largest errors seen over some 10⁵ floats, in units
// in the last place: exp 1.0, exp2 1.0, log 0.8, tanh 1.4, erf 2.4 (LaneMathTests samples them). Infinities, NaN, signed zeros and subnormal
// results are right.

using System.Runtime.CompilerServices;

namespace Gradus.Tensors.Cpu;

/// <summary>exp, exp2, log, tanh and erf.</summary>
internal static class LaneMath<T>
    where T : unmanaged, ILanes<T>
{
    private const int ExponentOne = 127 << 23;

    /// <summary>eˣ.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Exp(T x)
    {
        // x = n·ln 2 + r, |r| ≤ ln 2 / 2. Beyond the bounds the result is 0 or ∞; NaN passes the clamp as the second operand.
        T clamped = T.Max(T.Broadcast(-104), T.Min(T.Broadcast(89), x));
        // Adding 1.5·2²³ rounds to an integer.
        T wholes = T.Fma(clamped, T.Broadcast(1.44269504f), T.Broadcast(12582912f)) - T.Broadcast(12582912f);
        T r = T.Fma(wholes, T.Broadcast(-0.693145752f), clamped);
        r = T.Fma(wholes, T.Broadcast(-1.42860677e-6f), r);
        T p = T.Fma(T.Broadcast(0.0013926250394433737f), r, T.Broadcast(0.00836323294788599f));
        p = T.Fma(p, r, T.Broadcast(0.04166655242443085f));
        p = T.Fma(p, r, T.Broadcast(0.16666576266288757f));
        p = T.Fma(p, r, T.Broadcast(0.5f));
        p = T.Fma(p * r, r, r) + T.Broadcast(1);
        return T.ScaleByPowerOfTwo(p, wholes);
    }

    /// <summary>2ˣ: three operations less than eˣ, for functions whose other factors can take in log₂ e.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Exp2(T x)
    {
        // x = n + r, |r| ≤ ½, both exact.
        T clamped = T.Max(T.Broadcast(-150), T.Min(T.Broadcast(129), x));
        T wholes = (clamped + T.Broadcast(12582912f)) - T.Broadcast(12582912f);
        T r = clamped - wholes;
        T p = T.Fma(T.Broadcast(0.00015453163359779865f), r, T.Broadcast(0.0013390863314270973f));
        p = T.Fma(p, r, T.Broadcast(0.009618083015084267f));
        p = T.Fma(p, r, T.Broadcast(0.055503569543361664f));
        p = T.Fma(p, r, T.Broadcast(0.24022650718688965f));
        p = T.Fma(p, r, T.Broadcast(0.6931471824645996f));
        return T.ScaleByPowerOfTwo(T.Fma(p, r, T.Broadcast(1)), wholes);
    }

    /// <summary>The natural logarithm: −∞ at 0, NaN below.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Log(T x)
    {
        // x = 2ⁿ·(1 + f), √½ ≤ 1 + f < √2; log(1 + f) = f − f²/2 + s·(f²/2 + s²·R(s²)), s = f / (2 + f).
        T subnormal = T.Less(x, T.Broadcast(1.17549435e-38f));
        T scaled = T.Select(subnormal, x * T.Broadcast(8388608f), x);
        T bits = T.AddBits(scaled, T.BroadcastBits(ExponentOne - 0x3F3504F3));
        T n = T.SubtractBits(T.ShiftRightSigned(bits, 23), T.BroadcastBits(127));
        T f = T.AddBits(bits & T.BroadcastBits(0x007FFFFF), T.BroadcastBits(0x3F3504F3)) - T.Broadcast(1);
        T wholes = T.FromInteger(n) - (subnormal & T.Broadcast(23));
        T s = f / (T.Broadcast(2) + f);
        T z = s * s;
        T r = T.Fma(T.Broadcast(0.23341943323612213f), z, T.Broadcast(0.28550398349761963f));
        r = T.Fma(r, z, T.Broadcast(0.40000125765800476f));
        r = T.Fma(r, z, T.Broadcast(0.6666666865348816f)) * z;
        T square = T.Broadcast(0.5f) * f * f;
        T low = T.Fma(s, square + r, wholes * T.Broadcast(1.42860677e-6f));
        T y = T.Fma(wholes, T.Broadcast(0.693145752f), f - (square - low));
        y = T.Select(T.Equal(x, T.Broadcast(float.PositiveInfinity)), x, y);
        y = T.Select(T.Equal(x, T.Zero), T.Broadcast(float.NegativeInfinity), y);
        return T.Select(T.LessOrEqual(T.Zero, x), y, T.Broadcast(float.NaN));
    }

    /// <summary>The hyperbolic tangent.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Tanh(T x)
    {
        T size = T.Abs(x);
        T z = x * x;
        T p = T.Fma(T.Broadcast(-0.0065248929895460606f), z, T.Broadcast(0.02126297540962696f));
        p = T.Fma(p, z, T.Broadcast(-0.053901687264442444f));
        p = T.Fma(p, z, T.Broadcast(0.13333073258399963f));
        p = T.Fma(p, z, T.Broadcast(-0.3333333134651184f));
        T near = T.Fma(p * z, size, size);
        T far = T.Broadcast(1) - T.Broadcast(2) / (Exp(size + size) + T.Broadcast(1));
        return WithSign(T.Select(T.Less(size, T.Broadcast(0.5625f)), near, far), x);
    }

    /// <summary>The error function, 2/√π · ∫₀ˣ exp(−t²) dt.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Erf(T x)
    {
        T size = T.Abs(x);
        T z = x * x;
        T p = T.Fma(T.Broadcast(-0.0006102686747908592f), z, T.Broadcast(0.005014484282582998f));
        p = T.Fma(p, z, T.Broadcast(-0.026780718937516212f));
        p = T.Fma(p, z, T.Broadcast(0.11282194405794144f));
        p = T.Fma(p, z, T.Broadcast(-0.3761252760887146f));
        p = T.Fma(p, z, T.Broadcast(0.12837915122509003f));
        T near = T.Fma(p, x, x);
        // erf = 1 − exp(−q(|x|)); at 4 the float nearest to erf is already 1.
        T t = T.Min(T.Broadcast(4), size);
        T q = T.Fma(T.Broadcast(1.3933059562987182e-05f), t, T.Broadcast(-0.00032889071735553443f));
        q = T.Fma(q, t, T.Broadcast(0.003522564424201846f));
        q = T.Fma(q, t, T.Broadcast(-0.02297191321849823f));
        q = T.Fma(q, t, T.Broadcast(0.10414881259202957f));
        q = T.Fma(q, t, T.Broadcast(0.6379538178443909f));
        q = T.Fma(q, t, T.Broadcast(1.1267625093460083f));
        q = T.Fma(q, t, T.Broadcast(0.0005042945267632604f));
        T far = T.Broadcast(1) - Exp(-q);
        return T.Select(T.Less(size, T.Broadcast(0.9f)), near, WithSign(far, x));
    }

    /// <summary>a·2ⁿ, rounded once, for integers |n| ≤ 252 in floats; where the instruction set has no instruction for it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static T ScaleByPowerOfTwo(T a, T n)
    {
        // Two factors, because 2ⁿ alone may be beyond the largest float or below the smallest normal one.
        T whole = T.ToInteger(n), half = T.ShiftRightSigned(whole, 1);
        return a * PowerOfTwo(half) * PowerOfTwo(T.SubtractBits(whole, half));
    }

    /// <summary>2ⁿ for the integers −126 to 127 in the lanes' bits.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static T PowerOfTwo(T n) => T.ShiftLeft(T.AddBits(n, T.BroadcastBits(127)), 23);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static T WithSign(T size, T of) => size | (of & T.BroadcastBits(int.MinValue));
}
