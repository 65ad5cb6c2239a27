// Generated: the canonical and compatibility decompositions, composition pairs and combining classes of Unicode 14.0 (UnicodeData.txt and
// CompositionExclusions.txt, © Unicode, Inc., under the Unicode licence), packed and deflated. .NET's own String.Normalize does nothing
// where globalization is invariant, which is how Gradus runs.
// Layout, all numbers LEB128: runs of combining classes (gap, length, class); canonical mappings (gap, 2 × length + composes, code points);
// compatibility mappings in the same way.

namespace Gradus.Text;

internal static class NormalizationData
{
    public const string Base64 =
        "7ZwHfFVVvu+z1tnnnCQEZ0bnqjNeNerMfXpnngOh6YwFBBRGEEeaeu97lyMgRppDUfG2FBISEkqA0FsSIAnpCWmU9HoSILTQW+iEXqSIcH+//94nhjg6896b+96dz5vPJ7/v+u+1/nvt1ffa+5yTuzrI8TcnlZc6" +
        "rbyMA2ao9igvO2ztNuMYtkNoNw+96X4JQmjDsQ2hPqAUQ8nCyk577DOwz94ftj+p5mr7SRWpFbwMelk5qUOm7YDt4MWtNO1JO27l6uul2nkpPy/V3ks94KV+4KV+6KV+5KUe9NIPeakfe6m/8VIPK/WIUo96qZ8o" +
        "Zeaj1IN9pAJPeKknvZR/B/WYl/pbL/V4S4yXespLPS3XYw3sra9/QP1QPTPSeVJpT5GRrUaSauXyjPrZE+r+syS0We3R0i6eGrc6bhvivJXK+U2kD8JHcW3lc1IaXKF4v0DGL3k6A2l/zyKz/x64v1wtoc1TGE/V" +
        "ba0crDq/pJw/VD62VuUYJTEdEPOyWONa8d89hlMN8lL/MFLssdoH/Bcao7yUT3tj9Bj9qRhf9MNVHpPeoPaobioY1wmBPVXZjRClaUtxfRi8ArdPlFNpn3dgbbWjvOuc2ucJ5bMMLeGLItUpjItZSgaIWeT9nh5/" +
        "Q/n8GD3OgdbBfv+gUvr+SntZgxHl/4Hy+TtP5dH+XbXPr5WznfbpqZwLpeGVNUe+GfQooAF3B0wboquU/ub8b9qfE6DR6k/Mq597JstxK27fN5Om1UBosEsxzalik6wMuc79Q0a3FObuIyjkDLTOMP+Taq0h2R63" +
        "pjcaSR9Rgdp7ZzMbyfA9qfyR4dvQPK18fq58FuDExx48qV7EMMHhPymnn/K5SGdPpTjo7TLwT6rOyudLnJC5XKmfBjtYW6dZ281OeDaxk2M5UOe0l+4+qZ6VMks+hvJZ7empTQZqF8q2WyQ903pyoFod20yOElzz" +
        "OeXzgPJ5Ufl4KWdv+HfQPq8oZz/l46OcH0tsNvoFw+htzSH5KApnQ0k2K45t5yPIabh4faUk+Dfl86kYE5XPDC1WiNY+hnIuhcNA5fOg8vkdSmxTPiFaBiSO9ixWdvUb5Fzoox2pi1DDquf0HnaTDZX3su9R3t5o" +
        "MLs5zp5AHedxBG14DKeoH2FkOs1mZROF8eCG5iSD35F2aMixXAmVc8YPS5S9R5ADCCZCiFAigpju0PaeibB606U3XXrTpTdT+zKuL+P6Mq5vBJzf4rkDmDCACQOYMEDiIhw2+2AmDGbCYCYMZi7vBSPBxQQXE1xM" +
        "cPEMF1NdLMFwlmAkXUbSZSRdRjI1kHGBjAtkXCBLMI7njmfCeCaMZ8J4iWMJJjNhMhMmM2Eyc5kSjNOmSH2n8pJEj3BaRI8kWkRPnjac6MlzhxM9p9EiekbTInoRI6Jxtd7MaiTRm1mNJHrTeSTRm5mOJHrzjJHE" +
        "G8x0FPEGnUcRb9B5FPEGG2IU0YcuH4XgGn1Zt0CiLy8USPTlaYFEX2YfSPSd5jDsv+VpHxNvMpfRiah5P9ZoDNGPcWOIfizLmGiH3f4WE8YRbzFhHPEWU8dFI78BvNp4YgCvNp4YEEUrCkV7h6dNIN7haROId3ju" +
        "BGIgEyYSA1mgicRAukwkBtJlIjGIh5OIQTycxIYdzPpOJgbz4pOJwbz4ZGLwdFrEYJZlMjGYbTCZGMoLfUa8R0wRi73/PsvyBfE+G/sL4n1e8otox9P2AUtYrSWOB+yDaU1e4njc3oOpLqIvEUgMIMYTg4nJxAHF" +
        "At4RHlDBYgeLHS226RMkdhC6pEI8jwvXGGSisEpiToI2+xs8aRTxJjFars36jSfO2ujZLMy3MW2OnfyYvfYGrz2K8+4tXnMcUSkFOiGsEp4U7hHeFPaYxeoSPWJoEb15OJLozcORRF8eBhJ9eRhIDODheGIAD8cT" +
        "7/BwAvEODycQg3k4mRjMw8nEwDUcC8QgYtIalLwPa/NRtMNp78F+csmEknWCaJSG+lK4S3hdOIBu44l0adAM4XvElKmOGRrbVqWxHOi5DmVEOIIdHXSh3Vf/xmlPkhaIcYI6H4tqLC37AuEiJ1eQFcLVEpMsdIM/" +
        "RSoH12phlsTnCvOFhcI68SwUn0phscRXCmtBu3272NuR+kt7rDf7LNabC95c72D0aThsu32xN30WSmqCd7ijHexwh7+9AHzEnivxuXJWjpzVKGetl7MKJLUcno/ar3mzB66Dv7XP9+acygMfsM8WO1M42ztCbC6r" +
        "sRKTC9rse3wYv1c4X3zyhAuE+eK/0HuqXHGqlDZCbHK5sEh8TksOZ4RpEr9ZmCBnlQsTJKbcio8Sm0yUmGrJJ0XsOjBZ2xP9dvgh2W8nWCNM9NsFumHjhrur/U4/bS8Ff2TfDjYa9qQHNz7obc8EbfYc8GdGLKiM" +
        "+cIFwqXCOGG8MEWYAY6xVz9U9BAK89Duh35oxD208SH4gNrIAAcZ2T/e+GObUQA+Y8wHkadwqcSngGdx8sOND9vAoodp734YGT288WFkBHazz3lk9yNd7VWPFD2CVGEVYv7FXvVo46Of24t/susnTnsViPifNP5E" +
        "g2Ww3Yj5d3vVT4t+irOEVT/d/dOZ6LrH3I9pcOtjWJVgM+bwYye0UfZE/pO+Rj1oN7YJG4X7wfZGyRO5SL38xJUnNHjtCWVkPxn0pDZyQB/EBD35oDHnSeaw9EmeFSdcI0x5kjnMfjL3ybH21f7p/kf+xh7WNber" +
        "tk8TRgqjhDNAwx4DPmdfLzEbQZu9CMS0kZgycJPd3mM1VwbiNU75D4jXEmgRr2XRIqplbp8S9qLTCKIXnUYQveg0gujFxWUE0SuNFjGHi4Z9rnCODhZbNkpMHEn0zqRFJBmcJ8nC13mRD+W2zqE8iujDw4+IPrzw" +
        "R0QfDt+PiD688Edy+0+nRfRltoHEVin/ReGbxGixmMVo4k1WYDTRj4djiLyX5AYh7MekMZLOQo8h+jOLsUR/Fmos0Z8njiXe4uE44i0ejpM4ZjCOeIsZjEuTFThYVuBgsSPEJuulzTYL66XNNgvfJj4Ri5l/QrxD" +
        "TBCLl5lA7JNy7xe+w0tOIAbSaSIxkE4TxVPzeL/wiPCosOkl8phwEDFJLJ4yiRjEDCcRg1iRScTgVbwvEYPZ7JOJwUyYTJyWGpwRntWsZbNwCDcrnxJDmPGnxFBW/DNiKN0/I4bS+TNiKIvyGTGUzp8R7/Lwc+Jd" +
        "unwuG2geTpHNCrcyXxDv0/kL4n0W/gviI6mLZM+t0RTurO+hFTBP6OgiekTSIsqkt5qEZbI1aRKWqUixTZ9QscmVL/O6ccIQqX2oMER6N1QYoiPFjhQ7VGzz3HA5V7bHLMZIojfdRhK96TSScEt5zgrdUp6zQreU" +
        "56zQLeU5KyyQ8hQK+zIxkOjL7AOJAcR4sZgwntgpuV8T7pTcrwl3Su7XlOkTKjZZL7lvFq608aw44UpbkNhBYkeKHSl2qNhSc1uC2ORgYrJYdJtMZEhOmcIMySlTmCE5ZdpMn1CxQ8VOEJt8j45TiPd4OEXieMIU" +
        "4j26TwnF/inLOVd2JvPAoFfoHywMeiVY7GCxy8Qukz3QXCH9I8QzUhghnpHCCPGMFOaKf674zxbPGOFs8Yx5hfvQWPGJFZ+FkrpIuFB8FolPvvjki89KSY0TrhSfOOFKuWKccIH4LxD/JPFMFiaJZ7IwSTyThYXi" +
        "Xyj+meKZJcwUzyxhpnhmCReJ/yLxLxDPQmGBeBYKC8ychcXiXyz+JeJZKiwRz1Kp4wrxWSE+NZJaK6wRn1rxqRSfSvFpkNRtwgbx2SZskCtuA7kjnQfufSVIGCwsk13lXCHzOSI5HBUekRyOCo+I51GzlcQ/WfxP" +
        "i+cZ4WnxPCM8LZ5nzFZycjOd6mTf00pzsvdopTvZzrQynGwRWvVO1onWZidLRWuL04aRVykjjwwRhgqnCsOE4cJpwghhpHC6MEoYLZwhnCmcJVwpjBPGCxOEq4SrhWuEicIkYbJwrTBFmCpME6YLM4RHhEeFTcJj" +
        "wuPCE8KTwlPC08IzwrPCZuE54XnhBeFFYZYzXMh74CUrRsoDatjsibxXK2XGhgunCtm+4U5a8NOFaOkkRd9rkke+5JEueeRLHlWSR6ycF+HkvKIVKRZTil8NEgYLzfkULpwqT0L0no2rFEpubqc5g8KFU4X0mO7U" +
        "9ruS013J6a7kVCl+leJXJ36ZuG6pjMdSGY+Vkl+dcLV4rxbv1eI9E95x5jrAlVyHOZUeZrPfkarWSvG3SFVrJYMvpaor5NRoJ4c8rVliIUWvUzYd0l3p0O6rtU52GvpNpSvVePvsngXcAoIP2eeBT9obJGancDvY" +
        "xR7aqwA33AjQZo8CH7UngJik4GP2jRJfLqyU+BrwEfvLNI/CbGff3IuZvUS8QhyX4xNyyhWxr4r9pdg3QKf9tthfSXxIb9qhvWmHiz0NfMYeL3aSMFmYAna035FzvxbGSPyc3swzW+wc4TphLviSjhiGUTEs+wfG" +
        "wcEFjku+9rphi1zavlm4VbhNuEO4S7hbuFe4X3hQeFh4FLTZj4t9UngadNovgpgFwxYj5orYV8S+LvZ1sW+KfVPsr8T+CvYj9irYvvZlrkWuB+wpLuaZJswQZglzhLnCfGGhcINwk7BYWOpiCSvErhLWuFjCrS5e" +
        "cauLV98u9naxd4m9S+w9Yu8Re7/Y+10s4RrJ86LEXBJeFl4BDfvXYMhsm65ZqJW+tlkp7V4Gq2YRsO0gDrOXAicSgaXF2sK2bBxuS4A1LQVWDQ+/LAfOnAPC7gHF0UhdPwu4GQPMigNCdiJhyT5g71Hg0ClgUwQS" +
        "zsYDl3Posgxx19cAUxvpfBxIY1bLNwIN63HYfBjYHIXD43OA2koc7gmFtWI24N6EwwVbgLO80J0TwBZePHwFrPwEXnc1UFEL7NgFzOY1Tp0HgoPox6sdIC4uAbLTaeUBtzcA0Zfhd+8KsPIroHYa4qauAe6xfI2x" +
        "wOEslr4IOHITuMtMm3gNN88tY8PeSAP20K+pAJjLdtm3H5h1CMi4zZLeAepS4bedxY0KZqlY+npi6TWgiCW4zBJcp1/QAmArW0Pa+S7LUsjOO5UPzCkBprHFL51lC7GJv2KBitkuycXADDrX7wVuuoF4FqOcHX8o" +
        "k41zgfVlb61lzut34zBzBawInnGX1z0RhsOV1bR4jXT25Zl4nsYyB29jWW4BF6eyWsxlK8fQdVawLAm4yoF0jj1YWcdM2dNr2dhpKRwl64AFm4AtxBKeVsURe4NDpWk5B/BGdihHYlAFsJidnMA2rW0CIs+wF64C" +
        "19h0F9kza3jahUggYSWHD/tywSqexuw3JXN4c7CWxXhqXsvyXWeDfVXFWrIhitjT1/kxyXFW+laap9nXb2Bvse2z2fZnTrNUnB9VvPi6VcCXHAw1HGYLM4Eo9kc6C7mOjVPA1KOlOAxnzvvigAvMuZgjZ1Gdp7u3" +
        "HGMhOf3usDJ3WJkZnKsRbKF0DpBI1ugrTo2rW4FSzo+lnOKRLNVedlnzJbbfbelznHGenZfOlrzJDFJW8pKcg2c5WNey6aLYEBVlHFINnhEWzjInsxFnsVdPyBivZyF58SSOgxMcNOG8blMzG+wusJVNfJSoZ82b" +
        "mEsxx+l6FnIZs2pgLReyG29zAUigy+4Czn2OiAWsVh2LdprrQd11TtMvOfg56kq4FCxiX+6Zj9QSNmdeOIcySzqNWMOu3cGh3MgzwtjOy9lM69iIG1jfei4ym9kaUXOBHTyjhM1UkoKb+b5MpfW1eliHOOTXckS4" +
        "ubRs5Cg+RJwgZrF/G9nnRbzQpns4bU601vpmrLbpAnbe13Ha0Bez2JdEUjbHC5egQ1zN8lnzdA6VUxwRm2WWsX+PE9vYasu4NIensjWIEk7iJK45x9kfF4h5HFen2XkzOWeuEFs595s4rmJY6TD21g22wWJ+Hh3P" +
        "yXSBkymFS1o8ezCGy0gRq1VL1BANRCNxkJjB+s4kSrhyBbNnSm54JmIk17pS4grHQRinxnn24K2pHuzmwjOb6/18Nnswe7CQ2MH1NGIxkMfFSJruGBvnXgawgaP4OqffhTAfjJypaN01XOZy2T2n2WpBbMRKsRhX" +
        "zfa7vdrTfrvWctDQaiL2sRFz2IgVXKp2Ek3r2LB5wHYOhr3EGS7/aZwae9jEW9jEES3tfKTM09jrOLcquGIurWEGRCM74Fq95za2hGgkbnGZk3VXpu5+zoq6g55OWX7E0zOJF1lBdk/GCc8gvMyOCucU30As40Kx" +
        "4pxndO4nrhFurvIlRD17Naulo77iCrf/tqfLilo6ajun0EXehW7NBErZR+FzPR1VzBXzJlEX6+k3uTOdj/X04PQFnh4s4AS7wh5cxAXgS66Od1I9HSrTZX+Gp2ujMj39OyfPsy9xN3ijOYldp4Bln6HLg1DQQqJ2" +
        "FUZAQyGw42ugvAgnzCzWvYy97da108aVdvnt2hln2pW2U2AZWPulrdQMeNSAdLJAuBHcJtwu3CHcKdwlbAS1sUfsvcJ9wv3CA5J6SHhEYo6KfUzs42KfFPuU8LTwjPCsdZVCKUOx5FksZxW3q/97+6I4Y32coe1L" +
        "JPyBfbWEoXicizcS4w1lz5ZwqWGvXmMUrUEEwt1rjIvYliYb65MRgTAz2ZDjTcnGHWUvSDEyUpgg4dcOe262kZltrLmkjd3xzhPxTmXsscLD8c4LVnjRCi9Z4WUrvBLvHGoUJpj+661wQ4J53kYrxPFF6xhhSb2h" +
        "N3HiFhClRHwIuvjIcmWtgxuIEN6hbsttKs6zNm4llgdi6kR7WyvlTuI4cYNYOh0JhfA4xaMZXAbqGLWA1irZdPFmkZrgWTgOJ/hiWaEVytvGYZy6gUYVcYW4QcR+bK0n36zMsrKEcXkOX+PZhtWu8SzZ+4irxNfE" +
        "vfuROg9lusRp7uau7DBxbD7immldJsJ5k1zOTUsBrRriNBHPuC+J2VzRdhDHiKkpHsgql0LkEGXE/HTPPWQBrW20rqV6bpcXuBBuyWAcMYOLYxStbFpZRKrccJJRyCu0bhDhXDUXE/GyfhJJaXA5S5zL4aLHNTWR" +
        "2MPDk7QujMVqAEVwqS1qQU0OTirnnXpPvmfXdZVYmIeEe7TCea/bwSU5nlbweIyblntgSSGLThzfwJy4vTlJ64I8bBB3iKPcyTURGZ+gf2gkcbe5iThDNCE+tBxn3oGRydtADpFHyGPJnGoMm7u0sqq8LQTz7hYv" +
        "ZSOqf4+uO4H4feVYo5oY1UwcQ/xi3k82E7uJW0Qwby/rJ2AMT7Bu5zs34+xqWjW8zdSXee4/Yt1uuQllE6uIDOJQywZAHuRm88a0hDhIZHFPtJNo4J43uhHX2ETrDuNO0wrlXew4cXk3UuN5K6vkYTKRPgmNxKi7" +
        "xDLuy2/QOjfJ2nGcI6YfwZnHuPe4yb1HLW+Ciz61diIRMI5PRity3sUSQbwrLmVaGh+P9k67754ZRxwidhDlvCPUIo/b3CWGEdsbPBuc86eROJPWCsbN267Mu0cZjYQd3PESSXxeTDgP3/20Fn6Oq/CmnHgZUTtp" +
        "bUHUFRordntu1huIGdfhEbUeuE1ryx7uCW/BKuZGeDNxinHzeWcv2ufZc8mN/gxxkwjj3nb5bZy2jocZ3JFdIHK+sLYC1cS2r+Fxi74XuDM4dJeVuwdU8YGq8Ihnt7CEmP/PGJ00viZuEGncJK/mCljJ/cSxqRiK" +
        "S7nzTpkGK+m4Z3vRQEREIy6IG41YIncmDufNBm5z3xHF54HUf0V2NAr+1VQ1dyMHTnv2JWHyXEYs+TeMSW5Q8hYihyJacxb5WM+sKzi3ZnPTErcCcQVExUrgzr+jGEGeLczVOERdIRbFAznEcu5oVrRAdjmyKYi6" +
        "KM9ibIdgeciA8xY+BMmDvuyBjjFhTaqPtZ9dnAarkpBNfDOREeLZ2bqJrcSdbLgk5npwgTupkKlsxHwcVnFPVUskMi6I25LtfBRYGcYJResYEcQdV3gxUo/RCg5nH3MDFsLtciWxjnFJFXCpJvbycG8lO4B7tKIq" +
        "WLF84rx9z7Nl21eLuAQ3cISHSXVsYVqHT3LrxGmUzQkVGsJ9VgRzoZWby+JuhXMuMZcTaukpzxo2lVjOPXgzz4jhu4AoYhmRw/telljEJuIksbHRx3pxsIwbyWNEGneTCbQ20To1zfMAsINxbh7WEweIvD3IoHkf" +
        "sGsvkDKdo4qPwFeJ+dN5xikkHKeVegjWQbocJbIOs9mPMgMeNrS8+jlFnCGSZ3B3Sszk9rZphmejm0Q0E+F8y7U7ipnSCuYT4i0eHqF1jDh1DtfYzUfbQ0RuNPuD1gZsHdIv80vEVzjgZ7B7iZUte2TZHu/i27mk" +
        "W6wfn3dKiSXcMt8gMu4iYeps9EQdX1ltJC4tkYtxXVrm2Vpvj8L95zwxj8+Ql4kYvnpLn4m4JbQKuOfevZqvp4g7PLyVCMQm8RXYAvhF8V1M7Fy+o0qREiDuJA/LuUvP5o0xgVv1yngkLF4FXJjH2wpxhDv36UmI" +
        "y47lnEv2tTbygmQiLwVxTXzkzZnPuwefexP5arCMuEtsWcB3T3m+1ta/hC8Avi5kwiKu5cSp9TwshctNHoaVwZpZAcRUAhv4tqBxMW+itO4SYXwemEXMJzYQQfW+8x9fqbS/t+Ef4dDaZTf8pzpsOkDpTsrw5ze4" +
        "Njpthn8ijI5Kj9eOjhXdOysyQDk6wZ5k9P2tMgI/9jP6YSdijMlXPsZG+7iuemJvo9fXWhm97gIjiH5w7PcxfKC3YL+FcNzHPzd6vQ+vL+D0xSalP0JbG0pjY4n7/S1YX0HBdqVxs5rib/iHO1CuacR0IokIJaJQ" +
        "7GPwHaP0RKVxl4q1z0d0pcOX9eins53ofGi106arEJY4f6rXIyyFypxaL0SY6zR0gnOmzTjhG9LugjIS/a75KaNGWN2edMPe8ANj899m/22QMjY/nv34c0bK44seV2Dc47/SUU+MNrKfDJbv8gQ/GWrTB57KfFT3" +
        "wHqIvnhN615K90ZH2ZR+Q+k+SvdV+reKn4r0U7q/0m9pPQBbC1TjbaXfUXqQ0oOVHqq0C5MXsdugkF8r/YHSI5QeiXUQEfuhA9AorUcrjQ1kHXoWW8CdiJsP5wUQNmzYiGBzsQwHF5GAfcJqmGyVHGgdxFaphgKl" +
        "7SeLjye9tCX9Ab3J+xm9HVkMx7RFwJsJL/8hllcER6ET0GnoDHSWfYgrLUMfnocd9hvco2Bf5qnQFegqdA26Dt1kFZEeCqWgnSIRToeWIo8ohNEQNgOzEcRAc+zs1v3KcBXZE7ThP9chQM+XOV4x/Oc5DO2vvuPP" +
        "qWd3dxj+OY72+nllPP+8cjz//PM+2t8wsrtnd1cOMru7NnK75+KIzO1uN556ClcIc/gYr76qjFefUsZTrz7gbbpmd/fW/j/SHdCGNt1Z6S5Kd1W6m9IvKP2i0r9AcTEAXlb6WaWfU3qcoivmlUy3P3qC5igYKV37" +
        "udnzmCyjZcSPlcw+kaE/yc94Z+K7DtevhisAET2Vkal6asfwX41XADp2tk0j6nUMGRmE5h8y4zrYV/4wHMdo/RYm6Xgbx+LvZDjyz2YM7K8cg3r3U8ag/lq/b/DvNVxFs2wY3K9rjmQUsqEdBiy0HdoBBWrH6z3e" +
        "5cwzx9RcaCUU08vOeWEOaAy+j51cX7rJKvOi8gY7dpCDTsoRIITdRewusgiBnYWI76ocXYSwX5DUFyQG7EYaiGcNjb59laNvXxpDlB6ijCE4HoJj7yFmLAr6rjLeRey7fc0G6alYzP4soxEYqByBgTQ+5TwxPsXx" +
        "pzj2/tSM/Zx9ZHyO2M9xzC4aLjUc6+vogCokYL3oldJLOciUXtpI75WOIzK9V6bxPWPCQFsYHTtCARAW6Y6doS5QV6gbxDrCLwBt9mzH54AAohPRmehCdCW6ES8QLz6nvJ/t2EHYURgg7CTsLOwi7CrsJnxBKOcG" +
        "4FyjI2ZRANQJ6gx1gbpC3aAXoBcxwzp2IDoSAUQnojPRhehKdCNeIHhGAM941sVifkAMJ0YQI4kPiVHER0Qg8TExmhhDjCXGEeOJT4jfExOIicQkYjLxKfEZ8TkxhfgCkxVr+GueMcBR/l0ruOIK3jJjBnrW8CGy" +
        "jGNQvaf0+7Kef+AZEyNl7RwlMzBQbn2tJ/V4mde/lzV5omcV/1TuhxhkU2Qx7BDv622OpJReHzl+/euXlfHyy8rx8ssvhxvMb8gVrMvvZ2q9ebcapFcU6/Y6iG+Ykog8opjYS4TxTVA0sZJYTxTztdEJopkI4bPp" +
        "fCKFOELIy6IgvjSRj61uEbF8qbOYKCBKiQPEGSKE73PyiBp50UPs5udKK/gmppkvUkL45mQ6EUskZns+Qmvgi5Egvvq4Scwq8Lz6KGh57XGZ2M/N2gniMnGXuMJXGbeJe8Q1vq6QdxZRfA8xl2ggjhJXiXK+iIjg" +
        "a4I8oo7I4OP8OmIaH+cXEKuIQuIIcYK4JE/28rEQsVI+yWv0vOzO4aNzHbGT2E/M4mPyPGId0cwH1rV8EM0jNhDFRDWxl9hPpPLhdCofQiOJA3zaPEkslEdLIonIJKL4mdQc4ks+bn5NpPPZspi4IK/M+eDYRFwl" +
        "1vPRsIDPgkXy+SKfAOXzp1vEVb48v8nnuTw+k20jpt8zP/ixPnaOJuYQOcQ9IpIPYcf4QchZ4ipxh4jms9YSYgVxgbhC3CQ287mlmSiZ7fnESp5C7s7xfGy1nQiaxw+S+GRRtdDzjHGTWMbHi+N8srhE5PBRIoVP" +
        "EfLVgCV8xpNPfnOJGD5F1PLZoSrB89GdfDXgxlpeg48IS/kOP49PB4XEaWIbHxEOEU3EGaKOTwfniatEMB8HkvgksD9LPlfn3pz7/0VEKpGUyycV4jCxmo8DGUQ2sZHYR5zg08H1jZ7P6Vdzwy8PAeXEZmIbIY8D" +
        "XxMzuf+fS6xseRxwE9uLPJ+sykcOK4v1L7R/Vz1nmDZncAVRuUa5DP9FLuyzFrtsRoRrumuYkeOqcQXooKdRM2jtM5jACFMRpkGhsKdCYVAmjrOgbCgHWgflQouRFg5NgyKgOCgSmg5FQdHQDGgmNAuaDcVAc6Cj" +
        "UBN0DDoOnYBOQqeg09AZ6CzUDJ2DzkMXoIvQJegydAW6Cl2DrkNHoHlQLFSN8tVA9dAWaAe0G9oLLUX6QYSHoWWwl0MroXgoAUqEkqEUtgeUBqVDGVA2lAeV8BpQPcuCfK4wf9h7oL1sOxyHQRFQDDQHmgcth+Ke" +
        "McwVXRbuSFr7uZROp5VGRBHZZz2r/CIieKk8f3JRSDeXepfj2aCneccLEYYKw4ThwmnCSGGUMFo4UzhLOFsYI5zzNHcHQU8flTDECkOtMMwKw61wmhVGWmGUFUZb4UwrnGWFs60wxgrntPhfQPgAzj/zdPTTJ55O" +
        "eeY55SdHc5iiUculSgq/TIJI8whNxmCeGXk+XoJQM63ZPDpoHmEiMMC6LmlHJMByzSDJjMQSwQA3Mwa4FzBY22Bez3QpuiLBjCQJbh2XIG6RnHfQTFu3WoJjZpHumJ4n88zI8xIEL5eg2jxvp1my8+bpMWYaVlcG" +
        "VxnorfxU5M5Gz51r1g3l43h7UG9s3bCrDMCuMgC7ygDsKgOwqwzArjIAu8oA7CoDsKvshN1nJ/h1gl8n+HWCXyfsUDnpOdlDrQnumcSRrSbuH5i0BkeGMkKEocIwYbhwmjBSGCWMFs4UzhLOFsYI2f/Kl6n5zwSh" +
        "t5U3R0LU09fk/AtP6z84SebxUL4JErrUs8U5uNSzYZF7t9yE5XYsd3FZ/mWbIvf4tXylHrnF8yWBGfw86hbvyXG8z8j3A9ZxP7SHd878s55NzBl+ELyWV7vEC53mO/Iw3hJi+JnfIm6ojjV+exKf5CbmKndLG+QT" +
        "Nm6ATnI/dEy+4sVzq3ndnUxdigsZndCJndCJndCJndCJndGJndGJndGJndGJndGJndHZneHXGX6d4dcZfl34qMH6GwHCTsLOwi7CrsJuwheEL5LY5ZtBRzMwT+8zSjlGThiljJFDlKPfIOyj47ENXgWtgZKgtVAK" +
        "lAZlQFlQDpQL5UOF0AZoE1QMlUIVUBVUA7mhOqge2gxtgbZC26Fd0B5oP3QIOgwdgY5CTdBx6CR0GjoDnYWaoXPQeegidAm6DF3Bfe/4MhWdrJR3vGub6w5ufLSaXbtccWJdde1zoXaOeKQhF+9VrjrEZSJmFUKU" +
        "27HGlQxL+Sa5Cl0Z8KqFVxLCFEg51iKtUMI7LpTSkeJa5UKJvFNcZ1zlcrUU13nE0DcV1lUJr7pQMyPdlYqjdFwRqd5prhOmn3c6SlJCy0jDGcqXzER+yN+P9lGpR7OVctG8jsPy8DXDGilzBrw2okTIxTsDvONC" +
        "azuyELLMOUh1S3jHdRAeufDMkHxzpe5SI+98lMpskQ1WizDkFUvMfIxqF/rcqOWZhlzXcLvQo44tVsm2Il/0vi/b33MubcR5NyA8J9fciX4oNOvl2GmWw9jpwqgydkg6e4xtyvbf5Uow+9K3ETH5rkQ5axfSWes9" +
        "OLvY7E9jnwtj0LEPbYyx5diDuAo5NnttH7wKEO5FiHHqfdC1yirfAXgiNPZLjx0EcV3HfjNXCRHvfUhaDK3roNUsYblrq4TNSFG+h+CX7zol3ofFl+1zmGPEl2ywynmUY8GblBb0buljx3FzzEnI45OuePE4K63L" +
        "c8+i3srR7Nopo6cZbJT4czIezkmNsqUe1lgxOhQexTzvKAwQdhJ2FnYRdhV2E74gfJHEkmEGHc0gwAw6mUFnM+hiBl3NoJsZvGAGZi4BZi4BZi4BZi4BZi4BZi4fvY2SjoB6DFaOD1wTlDF+iDI+GY7IscoxYixW" +
        "TDAHBes7WBlXNyp+VGyk1ct0N/AMykXZmFmvNmDB9sbaP6tILV6uuPQbn/RQxjhooxMYC42G3nxNGf2hN15TjuGuMcp7NGl88jp8X6evAOviWGg01OcL5RhN9CfeIAYBcJqLbMYSI4jRxIdjkc1YJgJjoeHQaNRk" +
        "rNRkOGmIOVo4llVDNCso5mjh2NheE5U3SX80kWM00Z94g5jgGqF8Afr5mSE9P5mIy0/k5YGx0CdozHFDGAGMhUZD/dnCQ5EwlAnAWGg01J9hshMG4O16fuzzynjt96gEumP4COXdM7YXWsTRczziR7ANpyjjI/Rd" +
        "n7eVETgObfsm1B95TFLGGFR8zDjlGDMebTjmc1zkA9QrcAwwHu39dh/l/Qkv4Hj7bZzx9jvKmIjOH/ipMobCcUhsLzRaD9LoyNu6ESDsJOws7CLsKuwmfEH4IokRbAYdzSDADDqZQWcz6GIGXc2gmxm8YAZmLgFm" +
        "LgFmLgFmLgFmLgFmLgFmLgFmLgFmLgFmLgFmLp3MXDqZuYxyjVl2ArdHb9wavXfgXrZFh8i7rNeV/p2h+ZXgHfqYQydu4QNzI5+uDdw1G7WvnmFfsAKD7EMoEEJjfggDQIve02j1iZPaG9d8v/RV4AlhM3jXijnv" +
        "66Ob2pnvgvkOeCe0HzoAHYROQ2ehX/yd0dCOkZf9TH3VRnfbKKj9/brtd7/utdGtNlrV/n6taaOpbRTaRuFtNK2NZliKtjTTUoSlhZZiLCW3UUYb5bRRVhutt7ShjUoslbZRURttt7RD9LROQ9ha1ZaqLNVYuoG2" +
        "rGtvqtJSraWGNqr1Exlr/BJbcVf7b1jj9w2r23/DqlasacWGb9HMv4W6vv19QmyqpKUJK1t5u8EkSU2S1CS/dGGlsFZIn7Xis1Z81orPWvFZKz5rxSdFfFIkPkXiUyQ+Vc5Klfg08UkTO13sdElNl5gcicmRmBy5" +
        "So7E50pMrth54pMnMXnikyfx+RKTL3aBsFA8C8VeL/Z6sUvFLhX/Usmh1IqvFbLMZZJaJvFlEl8m8eXSf+WSQ7n4lEsO5X4VwkphrZD+FeJZIZ4V4lkhPhXiUyE+leJTKT6V4lMpPpXiUyk+VeJTJT5V4lMlPlXi" +
        "UyU+1eJTLfHVEl8t8W6Jd8u5bjnXLT5u8XGLT6bfJTBLWEs6/Ov9tjHYbAZbzGCrGTSYwTbxX+OXJcxuNbqqvjXGsoTZrUZX1bfGWJYwu9XoqvrWGMsSZrcaaVVtxtv9/fjtvvuunvp2vyS29EWVXLdKrutp+ao2" +
        "7S/thvbMEma3aueqNq19/3xMb9Vu1d87H6u/dyZWt7TJH5txf8pcS/8TZ9z/3lxrPb++fzZ99wyq/p65893zpfpbM+XS986R6m/1Tuu+aNvyKWLnWC1Me53Y68S+v16VbUrV6oqOEj9zwpX4bbVCmXJo81qhW1q7" +
        "VuiW1q4VuuW6tUK3XLdW6JYxUCs01+RaoVvGQ63QLT1eK3RLL9cKzXxShWnC9Fb1ypJrZclZWeKf9RdUzu/y9/Rddcs95dvz5dvntr77JPrVWXzIwTmLOAdnbWqb0IxPt8JKK15GtITI15FqHXtCnuW2QtTdkWPl" +
        "xzKmWaEZX2kdfxOmWmFlq5BzPu2+0IxfZ5Xvm1B6wrHOKlfrsLJVyLWiVsJ069gM861ytA498cy30GqnQiu+dcj81lvH6y3/9VZ8qZW/Jyyz8i+z/Cus8jN0W2GthKnSHt+E6ZafJzTz8YSVVjtXWvlVWvlVWu1e" +
        "aZWfrZJqhZV+NolnO1Vb7V9tlavKyqfKKk+VdX7r0Iw361tl1ddtne8JeZdwy3hJbQlrrXHltsJaazy5rbDWGk9uCdNajs1xY/rnWvVbZ4V5Le2XaoXm+W4r3m3Fu634Sissayl/WstxWqt+KbTSy1v8PO2Z3nK9" +
        "Siu9stWxxy/VyjfNun6lFZZa+SVZ6eUt4ynVGveeeZDecl2333OIr/DDcwHKKaF3IkK538Aq95O9jLc5BjJg0VvufN5ZfjnYx2ON9y704x6CZ9QgrsK6muwufmaG/p5M/T2+/i2uP0xF6E8kWtfN8qtvT/vH+pdK" +
        "Bw9TOgT6tdK/UfoppV9Vej6OF0Bruj+iV3dXeh40F/on+TO/evXPSv8rUuAVC82GYqDpUBRk/jIfD27QDGgmNGuYTf+D0v8Dj0vd79c/ef6s8jyvWZZfS1meMi//hy76jNJ/p/Tfy7e8/rvSLyn9itIva/2PSv9M" +
        "6Z8r3d1u+HPhLJHlE5tQbWALCmyRSBKbUJokNqI0Sf9tYpL+28UEdRwUbynB0ipLqy2taaNES0ltlGxpbRultFFqG6W1UXobZVjKtJRlKdtSThuta6PcNspro/w2KmijwjZa30albVTWRuVtVNFGlW1U1UbVbVRj" +
        "yXpy1u77hZ1TfCsmtOLqVky0aOdwfFpGnjnCMP7+m2dwmgPxlzIWn1f6V3/su4nmjHtJvp34ioz17n/uL0lhuv2jzLj/KdNr2J/7a1OYj/8iU/LflA5DIcIHmouJZ9pzMn9lftyj46AEaDWUCCVDx6AT0CmoHLrj" +
        "+sv7SOsqtAhaTH+0bRaUDeVA66BcKA/KhwqgQmg9tAHaCG2CiqBiqAQqhcqgcqgCqoSqoGqoBqqF3FAdVA9thrZ8YOitCBugbdB2aAe08wOb3oWwEdoN7YH2QvsQvx/hAeggdAg6DB1B/FGETdAx5MmPVvkpKn/P" +
        "x1/t8QNRfg6b3EPrEIzH2RioMdAcaC60EgO07s25P9ANdhTELv8SWi9CuMPQOoHHfDW6GsYqqNFAqaAYTIM9CA9ByYg/jrAJOgItsZtfql2K8BSOpyJcyy82Q+d4XOTE3WUrv+LEr0bLEZLCafArVV8i9oYh4/g2" +
        "ggjGfw3jLhQExyRoDfNmwRJhRPCb1e9qPQthHBQPLYRKbOgaqAyazlyWFzmrFtr+S3+r8T+9bPq/asH+TxpNS8Fs+g2bFMbWqhj6TyiD1h/qP3R1/RfeLK1+fcGC2b6jSH+wifR/cmH0/U2k9QDj/1Yx/r+d+38t" +
        "21/L9hdSNn4tON+w6RjctudYv5uZB8VC86EFEH+9tghaDC2BlkLLeJuHVli/s4mDrkEJ0Cr5JRw2D1AilAQlQ9NQ/yzn/b8Ly4XyoHzrF3SFEH85t8HJXwdiCwhxS1HsNH/bY/6iDltAqAKqbPXbshqoFgrBda4j" +
        "3AZdgnZBl6FG/h7or/X8az3/Ws//svU8AB102v7I+4H/N6nBv2x5X5Uq75K0vD/Jtt435VvvTspbvY+pst4lFVrvdHKtdzlZ1jslz3utdOudVJ71rojvgy74md+6iIMu4lrmdbWu9rPhevpPvJZucx2Na2jk70Re" +
        "disfjTx0q/N1q3Ntrc6B2us/UJbWddf/i2VpXV+Nuuo2bfzNu6r721n/GdrY8Uf68s9xjUrD6PC8Mjr8UhkdoQCoE9QZ6gJ1hbpBL0Av/tLheLYHv0z/GtGT6EX0Jl4n3iD6EH2J3xJvEv2I/sRbxADibeJ3xDvE" +
        "QGIQMZgYQgwl3iXeI94H5g0byDfIPbkJMXr2UsbQ9/Wfdwtj9LG+tTcQuQ8cyO/M4WBoz8eM/j2RgMj+7/zM6PXbT4yvhtUNU0aOy3yp9YD567jd/D56Pb+jXu2yvm8v/w/pGH+WJb84WSW/MOT/v4lr8vyfx838" +
        "+WB0sedfVGUybhnjym57fsKWzG+2X+JvAwv5Lft5/PcvsfwXPbv4A3v5dr98sd/N79bLN+Xli/PydflpdJEffO1gGYP5bfzb/B1bBLMKOuj5Er984z/nrOc/XeWlyP8f1HY0e+oWhYaHgYuYBupmxeRbRuFRy8BV" +
        "TGP3ecs4uNoT44bhrRewrhcT1YqHvndR+w8=";
}
